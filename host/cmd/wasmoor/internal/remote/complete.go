package remote

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/client"
)

// completionTime bounds how long a shell waits for a server that may be away.
const completionTime = time.Second

// completePlugins completes NAME from the server's plugins.
func (p *Commands) completePlugins(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return p.complete(cmd, func(ctx context.Context, c *client.Client) (names []string, err error) {
		plugins, err := c.Plugins(ctx)
		for _, it := range plugins {
			names = append(names, cobra.CompletionWithDesc(it.Name, it.State+" at "+strings.Join(it.Mount, " ")))
		}
		return names, err
	})
}

// completeVersions completes NAME, then VERSION.
func (p *Commands) completeVersions(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(args) != 1 {
		return p.completePlugins(cmd, args, word)
	}
	return p.complete(cmd, func(ctx context.Context, c *client.Client) (numbers []string, err error) {
		versions, err := c.Versions(ctx, args[0])
		for _, v := range versions {
			numbers = append(numbers, cobra.CompletionWithDesc(strconv.Itoa(v.Number), term.Date(v.Created)+" "+v.Label))
		}
		return numbers, err
	})
}

// completeVars completes NAME, then KEY.
func (p *Commands) completeVars(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(args) != 1 {
		return p.completePlugins(cmd, args, word)
	}
	return p.complete(cmd, func(ctx context.Context, c *client.Client) (names []string, err error) {
		vars, err := c.Vars(ctx, args[0])
		for _, v := range vars {
			names = append(names, cobra.CompletionWithDesc(v.Name, v.Description))
		}
		return names, err
	})
}

// complete asks the server for candidates. Without a server there are none: a
// shell is no place for an error.
func (p *Commands) complete(cmd *cobra.Command, candidates func(context.Context, *client.Client) ([]string, error)) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
	defer cancel()
	c, err := p.connect()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer c.Close()
	names, err := candidates(ctx, c)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
