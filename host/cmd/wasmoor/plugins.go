package main

import (
	"bufio"
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/internal/client"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

func (p *program) listCommand() *cobra.Command {
	return p.reads(p.does(&cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List plugins: what serves where, in which version",
		Args:    takes(),
	}, p.listPlugins))
}

func (p *program) listPlugins(cmd *cobra.Command, _ []string) error {
	return p.talk(func(c *client.Client) error {
		plugins, err := c.Plugins(cmd.Context())
		if err != nil || p.asJSON {
			return p.jsonUnless(err, list(plugins))
		}
		var rows [][]string
		for _, it := range plugins {
			rows = append(rows, []string{
				it.Name, it.State, versionName(it.Version), it.Mount, plugin.Digest(it.Digest).Short(),
				strconv.FormatInt(it.Usage.Keys, 10), size(it.Usage.Bytes), instances(it), it.Error,
			})
		}
		return p.table("no plugins yet; deploy one with `wasmoor deploy DIR`",
			"NAME STATE VERSION MOUNT DIGEST KEYS DATA INSTANCES ERROR", rows)
	})
}

func (p *program) versionsCommand() *cobra.Command {
	return p.reads(p.does(&cobra.Command{
		Use:               "versions NAME",
		Short:             "List the versions of a plugin; * marks the one that serves",
		Args:              takes("NAME"),
		ValidArgsFunction: p.completePlugins,
	}, p.listVersions))
}

func (p *program) listVersions(cmd *cobra.Command, args []string) error {
	return p.about(cmd.Context(), args[0], func(c *client.Client) error {
		versions, err := c.Versions(cmd.Context(), args[0])
		if err != nil || p.asJSON {
			return p.jsonUnless(err, list(versions))
		}
		var rows [][]string
		for _, v := range versions {
			number := strconv.Itoa(v.Number)
			if v.State == "serving" {
				number += " *"
			}
			rows = append(rows, []string{number, v.State, v.Digest.Short(), size(v.Size), v.Label, date(v.Created), v.By})
		}
		if err := p.table("no versions", "VERSION STATE DIGEST SIZE LABEL CREATED BY", rows); err != nil {
			return err
		}
		for _, v := range versions {
			p.noteWaiting(v)
		}
		return nil
	})
}

func (p *program) noteWaiting(v client.Version) {
	for _, what := range v.Waiting {
		p.note("version %d waits: %s", v.Number, what)
	}
}

func (p *program) deploymentsCommand() *cobra.Command {
	return p.reads(p.does(&cobra.Command{
		Use:               "deployments NAME",
		Short:             "List the deployments of a plugin: which version served since when",
		Args:              takes("NAME"),
		ValidArgsFunction: p.completePlugins,
	}, p.listDeployments))
}

func (p *program) listDeployments(cmd *cobra.Command, args []string) error {
	return p.about(cmd.Context(), args[0], func(c *client.Client) error {
		var deployments []plugin.Deployment
		err := c.Deployments(cmd.Context(), args[0], func(d plugin.Deployment) bool {
			deployments = append(deployments, d)
			return true
		})
		if err != nil || p.asJSON {
			return p.jsonUnless(err, list(deployments))
		}
		var rows [][]string
		for _, d := range deployments {
			rows = append(rows, []string{strconv.Itoa(d.Number), strconv.Itoa(d.Version), date(d.Created), d.By})
		}
		return p.table("no deployments", "DEPLOYMENT VERSION CREATED BY", rows)
	})
}

func (p *program) activateCommand() *cobra.Command {
	var grant bool
	cmd := p.reads(p.does(&cobra.Command{
		Use:   "activate NAME VERSION",
		Short: "Make a version of a plugin the one that serves",
		Example: `  wasmoor activate shop 3
  wasmoor activate shop 4 --grant    also grant what version 4 asks for`,
		Args:              takes("NAME", "VERSION"),
		ValidArgsFunction: p.completeVersions,
	}, func(cmd *cobra.Command, args []string) error {
		version, err := strconv.Atoi(strings.TrimPrefix(args[1], "v"))
		if err != nil || version < 1 {
			return usage("VERSION %q is not a number of `wasmoor versions %s`", args[1], args[0])
		}
		return p.activate(cmd.Context(), args[0], version, grant)
	}))
	cmd.Flags().BoolVar(&grant, "grant", false, "grant what the version asks for")
	return cmd
}

func (p *program) activate(ctx context.Context, name string, version int, grant bool) error {
	return p.about(ctx, name, func(c *client.Client) error {
		outcome, err := c.Activate(ctx, name, version, grant)
		if err != nil {
			return err
		}
		return p.showOutcome(ctx, c, outcome, true)
	})
}

func (p *program) rollbackCommand() *cobra.Command {
	return p.reads(p.does(&cobra.Command{
		Use:   "rollback NAME",
		Short: "Make the version serve that served before the present one",
		Long: `Rollback activates the version that served before the present one. It is a new
deployment with the vars of today. Data is not rolled back: the older version
reads what the newer one wrote.`,
		Args:              takes("NAME"),
		ValidArgsFunction: p.completePlugins,
	}, p.rollback))
}

func (p *program) rollback(cmd *cobra.Command, args []string) error {
	name := args[0]
	return p.about(cmd.Context(), name, func(c *client.Client) error {
		current, err := c.Plugin(cmd.Context(), name)
		if err != nil {
			return err
		}
		version := 0 // of the newest deployment that had another one
		err = c.Deployments(cmd.Context(), name, func(d plugin.Deployment) bool {
			if d.Version != current.Version {
				version = d.Version
			}
			return version == 0
		})
		if err != nil {
			return err
		}
		if version == 0 {
			return fault.New(fault.NotFound, "rollback", fmt.Sprintf(
				"no other version of %q has served; see `wasmoor versions %s` and `wasmoor activate`", name, name))
		}
		return p.activate(cmd.Context(), name, version, false)
	})
}

func (p *program) deleteCommand() *cobra.Command {
	var purge, yes bool
	cmd := p.does(&cobra.Command{
		Use:   "delete NAME",
		Short: "Remove a plugin; its data stays unless --purge",
		Long: `Delete takes a plugin's routes away. Its versions, vars and data stay: deploy a
plugin of the same name and it finds them again. With --purge they are gone for
good.`,
		Args:              takes("NAME"),
		ValidArgsFunction: p.completePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		return p.delete(cmd.Context(), args[0], purge, yes)
	})
	cmd.Flags().BoolVar(&purge, "purge", false, "also remove versions, vars and data")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

func (p *program) delete(ctx context.Context, name string, purge, yes bool) error {
	return p.about(ctx, name, func(c *client.Client) error {
		if err := p.confirmDelete(ctx, c, name, purge, yes); err != nil {
			return err
		}
		if err := c.Delete(ctx, name, purge); err != nil {
			return err
		}
		if purge {
			p.note("deleted %s and its data", name)
		} else {
			p.note("deleted %s; its data stays (remove it with `wasmoor delete %s --purge`)", name, name)
		}
		return nil
	})
}

// confirmDelete asks on a terminal. Elsewhere only what cannot be taken back
// needs a --yes.
func (p *program) confirmDelete(ctx context.Context, c *client.Client, name string, purge, yes bool) error {
	switch {
	case yes:
		return nil
	case !isTerminal(p.stdin) && !purge:
		return nil
	case !isTerminal(p.stdin):
		return usage("delete --purge removes the data of %q for good; add --yes to confirm", name)
	}
	it, err := c.Plugin(ctx, name)
	if err != nil {
		return err
	}
	question := fmt.Sprintf("Stop serving %s at %s?", name, it.Mount)
	if purge {
		question = fmt.Sprintf("Remove %s with %d keys (%s) for good?", name, it.Usage.Keys, size(it.Usage.Bytes))
	}
	if !p.ask(question) {
		p.note("nothing was changed")
		return ended{exitFailure}
	}
	return nil
}

// ask puts a question to a person, with no as the default.
func (p *program) ask(question string) bool {
	fmt.Fprintf(p.stderr, "%s [y/N] ", question)
	answer, _ := bufio.NewReader(p.stdin).ReadString('\n')
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes"
}

// talk calls do with a client of the server.
func (p *program) talk(do func(*client.Client) error) error {
	c, err := p.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	return do(c)
}

// about is talk for a command about one plugin: when there is none of that name
// it says which one may be meant.
func (p *program) about(ctx context.Context, name string, do func(*client.Client) error) error {
	if err := plugin.CheckName(name); err != nil {
		return usage("%s", fault.MessageOf(err))
	}
	return p.talk(func(c *client.Client) error {
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
		if near := nearest(name, names); near != "" {
			text += fmt.Sprintf("; did you mean %q?", near)
		} else {
			text += "; see `wasmoor list`"
		}
		return fault.New(fault.NotFound, "", text)
	})
}

// jsonUnless writes v as JSON unless err says that there is none.
func (p *program) jsonUnless(err error, v any) error {
	if err != nil {
		return err
	}
	return p.json(v)
}

func versionName(version int) string {
	if version == 0 {
		return ""
	}
	return strconv.Itoa(version)
}
