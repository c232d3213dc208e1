// Package remote holds the commands that talk to the admin API of a server: deploy,
// list, show, activate, var, kv and the like. A new one is a constructor here that
// returns its *cobra.Command, made with asks (and with quick when the server
// answers at once), and a line in the root command's list.
package remote

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/internal/client"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/spelling"
)

// Commands are the commands of one run of the program.
type Commands struct {
	*cli.Program

	server    string
	token     string
	tokenFile string
	ca        string
	insecure  bool

	serverOnly bool // a dev session is not meant

	readTime   time.Duration // how long a command that only reads waits for an answer
	answerTime time.Duration // how long this one does; 0 leaves it to the client
}

// New returns the commands.
func New(p *cli.Program) *Commands { return &Commands{Program: p, readTime: 15 * time.Second} }

// asks gives a command that talks to a server the flags that say which.
func (p *Commands) asks(cmd *cobra.Command) *cobra.Command {
	p.Flags(cmd.Flags())
	return cmd
}

// Flags adds the flags that say which server is meant, and what opens it.
func (p *Commands) Flags(flags *pflag.FlagSet) {
	flags.StringVar(&p.server, "server", "", "URL of the admin API, or unix://PATH (env WASMOOR_SERVER, default "+defaultServer+")")
	flags.StringVar(&p.token, "token", "", "admin token; other users of this machine can see it, prefer --token-file (env WASMOOR_TOKEN)")
	flags.StringVar(&p.tokenFile, "token-file", "", "file with the admin token (env WASMOOR_TOKEN_FILE, default admin.token of the local server's data)")
	flags.StringVar(&p.ca, "ca", "", "PEM file with who signed the server's certificate (env WASMOOR_CA, default those that the system trusts)")
	flags.BoolVar(&p.insecure, "insecure", false, "send the token unencrypted to another machine")
}

// quick makes a command one that the server answers at once, so that it does not
// wait as long as a deploy.
func (p *Commands) quick(cmd *cobra.Command) *cobra.Command {
	do := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p.answerTime = p.readTime
		return do(cmd, args)
	}
	return cmd
}

// Talk calls do with a client of the server.
func (p *Commands) Talk(do func(*client.Client) error) error {
	c, err := p.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	return do(c)
}

// about is Talk for a command about one plugin: when there is none of that name
// it says which one may be meant.
func (p *Commands) about(ctx context.Context, name string, do func(*client.Client) error) error {
	if err := plugin.CheckName(name); err != nil {
		return cli.Usage("%s", fault.MessageOf(err))
	}
	return p.Talk(func(c *client.Client) error {
		err := do(c)
		if fault.CodeOf(err) != fault.NotFound {
			return err
		}
		plugins, listErr := c.Plugins(ctx)
		if listErr != nil {
			return err
		}
		var names []string
		for _, it := range plugins {
			if it.Name == name {
				return err // something else was not found
			}
			names = append(names, it.Name)
		}
		text := fmt.Sprintf("there is no plugin %q", name)
		if near := spelling.Nearest(name, names); near != "" {
			text += fmt.Sprintf("; did you mean %q?", near)
		} else {
			text += "; see `wasmoor list`"
		}
		return fault.New(fault.NotFound, "", text)
	})
}
