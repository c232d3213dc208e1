package remote

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// ListCommand returns `wasmoor list`.
func (p *Commands) ListCommand() *cobra.Command {
	return p.asks(p.quick(p.Reads(p.Does(&cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List plugins: what serves where, in which version",
		Args:    cli.Takes(),
	}, p.listPlugins))))
}

func (p *Commands) listPlugins(cmd *cobra.Command, _ []string) error {
	return p.Talk(func(c *client.Client) error {
		plugins, err := c.Plugins(cmd.Context())
		if err != nil || p.AsJSON {
			return p.JSONUnless(err, term.List(plugins))
		}
		var rows [][]string
		for _, it := range plugins {
			rows = append(rows, []string{
				it.Name, it.Condition(), versionName(it.Version), strings.Join(it.Mount, " "), plugin.Digest(it.Digest).Short(),
				strconv.FormatInt(it.Usage.Keys, 10), term.Size(it.Usage.Bytes), instances(it), it.Error,
			})
		}
		return p.Table("no plugins yet; deploy one with `wasmoor deploy DIR`",
			"NAME STATE VERSION MOUNT DIGEST KEYS DATA INSTANCES ERROR", rows)
	})
}

// VersionsCommand returns `wasmoor versions`.
func (p *Commands) VersionsCommand() *cobra.Command {
	return p.asks(p.quick(p.Reads(p.Does(&cobra.Command{
		Use:               "versions NAME",
		Short:             "List the versions of a plugin; * marks the one that serves",
		Args:              cli.Takes("NAME"),
		ValidArgsFunction: p.completePlugins,
	}, p.listVersions))))
}

func (p *Commands) listVersions(cmd *cobra.Command, args []string) error {
	return p.about(cmd.Context(), args[0], func(c *client.Client) error {
		versions, err := c.Versions(cmd.Context(), args[0])
		if err != nil || p.AsJSON {
			return p.JSONUnless(err, term.List(versions))
		}
		var rows [][]string
		for _, v := range versions {
			number := strconv.Itoa(v.Number)
			if v.State == adminapi.VersionServing {
				number += " *"
			}
			if v.Pinned {
				v.Label = strings.TrimSpace(v.Label + " (pinned)")
			}
			rows = append(rows, []string{number, v.State, plugin.Digest(v.Digest).Short(), term.Size(v.Size), v.Label, term.Date(v.Created), v.By})
		}
		if err := p.Table("no versions", "VERSION STATE DIGEST SIZE LABEL CREATED BY", rows); err != nil {
			return err
		}
		for _, v := range versions {
			p.noteWaiting(v)
		}
		return nil
	})
}

func (p *Commands) noteWaiting(v adminapi.Version) {
	for _, what := range v.Waiting {
		p.Note("version %d waits: %s", v.Number, what)
	}
	if r := v.Rejected; r != nil {
		text := fmt.Sprintf("version %d was rejected by %s on %s", v.Number, term.Printable(r.By), term.Date(r.At))
		if r.Reason != "" {
			text += ": " + term.Printable(r.Reason)
		}
		p.Note("%s", text)
	}
}

// DeploymentsCommand returns `wasmoor deployments`.
func (p *Commands) DeploymentsCommand() *cobra.Command {
	return p.asks(p.quick(p.Reads(p.Does(&cobra.Command{
		Use:               "deployments NAME",
		Short:             "List the deployments of a plugin: which version served since when",
		Args:              cli.Takes("NAME"),
		ValidArgsFunction: p.completePlugins,
	}, p.listDeployments))))
}

func (p *Commands) listDeployments(cmd *cobra.Command, args []string) error {
	return p.about(cmd.Context(), args[0], func(c *client.Client) error {
		var deployments []adminapi.Deployment
		err := c.Deployments(cmd.Context(), args[0], func(d adminapi.Deployment) bool {
			deployments = append(deployments, d)
			return true
		})
		if err != nil || p.AsJSON {
			return p.JSONUnless(err, term.List(deployments))
		}
		var rows [][]string
		for _, d := range deployments {
			rows = append(rows, []string{strconv.Itoa(d.Number), strconv.Itoa(d.Version), term.Date(d.Created), d.By})
		}
		return p.Table("no deployments", "DEPLOYMENT VERSION CREATED BY", rows)
	})
}

// ActivateCommand returns `wasmoor activate`.
func (p *Commands) ActivateCommand() *cobra.Command {
	var grant, force bool
	var mount []string
	var canary canary
	cmd := p.Reads(p.Does(&cobra.Command{
		Use:   "activate NAME VERSION",
		Short: "Make a version of a plugin the one that serves",
		Example: `  wasmoor activate shop 3
  wasmoor activate shop 4 --grant    also grant what version 4 asks for`,
		Args:              cli.Takes("NAME", "VERSION"),
		ValidArgsFunction: p.completeVersions,
	}, func(cmd *cobra.Command, args []string) error {
		args = canary.without(args)
		version, err := cli.Version(args)
		if err := cmp.Or(err, canary.check(), cli.CheckTarget("", mount)); err != nil {
			return err
		}
		a := adminapi.Activation{Version: version, Grant: grant, Force: force, Mount: mount, Canary: canary.plan, Key: canary.key}
		return p.activate(cmd.Context(), args[0], a, !canary.noWait)
	}))
	cmd.Flags().BoolVar(&grant, "grant", false, "grant what the version asks for")
	forced(cmd, &force)
	cmd.Flags().StringArrayVar(&mount, "mount", nil, "serve there from now on, [host]/prefix, and not where the plugin is; may be repeated")
	canary.flags(cmd)
	return p.asks(cmd)
}

func (p *Commands) activate(ctx context.Context, name string, a adminapi.Activation, wait bool) error {
	return p.about(ctx, name, func(c *client.Client) error {
		changed, err := c.Activate(ctx, name, a)
		if err != nil {
			return err
		}
		if changed.Rollout != "" {
			return p.rollsOut(ctx, c, changed, wait)
		}
		return p.showActivation(ctx, c, changed, true)
	})
}

// RollbackCommand returns `wasmoor rollback`.
func (p *Commands) RollbackCommand() *cobra.Command {
	var force bool
	cmd := p.Reads(p.Does(&cobra.Command{
		Use:   "rollback NAME",
		Short: "Make the version serve that served before the present one",
		Long: `Rollback activates the version that served before the present one. It is a new
deployment with the vars of today. While a version takes over step by step, the
roll-out ends, and the version before serves everybody. Data is not rolled back:
the older version reads what the newer one wrote.`,
		Args:              cli.Takes("NAME"),
		ValidArgsFunction: p.completePlugins,
	}, func(cmd *cobra.Command, args []string) error { return p.rollback(cmd, args, force) }))
	forced(cmd, &force)
	return p.asks(cmd)
}

// forced adds the flag --force of an activation.
func forced(cmd *cobra.Command, force *bool) {
	cmd.Flags().BoolVar(force, "force", false, "have it serve although a database has had migrations that it does not know")
}

func (p *Commands) rollback(cmd *cobra.Command, args []string, force bool) error {
	name := args[0]
	return p.about(cmd.Context(), name, func(c *client.Client) error {
		current, err := c.Plugin(cmd.Context(), name)
		if err == nil && current.Rollout != "" {
			return p.abort(cmd.Context(), c, name)
		}
		if err != nil {
			return err
		}
		version, err := p.previous(cmd.Context(), c, current)
		if err != nil {
			return err
		}
		if version == 0 {
			return fault.New(fault.NotFound, "rollback", fmt.Sprintf(
				"no other version of %q has served; see `wasmoor versions %s` and `wasmoor activate`", name, name))
		}
		return p.activate(cmd.Context(), name, adminapi.Activation{Version: version, Force: force}, false)
	})
}

// abort ends a roll-out: the version before serves everybody.
func (p *Commands) abort(ctx context.Context, c *client.Client, name string) error {
	r, err := c.ChangeRollout(ctx, name, adminapi.RolloutAct{Act: "abort"})
	if err == nil {
		p.Note("version %d of %s takes over no more; version %d serves everybody", r.New.Version, name, r.Old.Version)
	}
	if err != nil || p.AsJSON {
		return p.JSONUnless(err, r)
	}
	return nil
}

// previous returns the version that served before the present one, 0 = none is known.
// A plugin that has not changed since a server that did not record it has it among
// its deployments.
func (p *Commands) previous(ctx context.Context, c *client.Client, current adminapi.Plugin) (version int, err error) {
	if current.Previous != 0 {
		return current.Previous, nil
	}
	err = c.Deployments(ctx, current.Name, func(d adminapi.Deployment) bool {
		if d.Version != current.Version {
			version = d.Version
		}
		return version == 0
	})
	return version, err
}

// DeleteCommand returns `wasmoor delete`.
func (p *Commands) DeleteCommand() *cobra.Command {
	var purge, yes bool
	cmd := p.Does(&cobra.Command{
		Use:   "delete NAME",
		Short: "Remove a plugin; its data stays unless --purge",
		Long: `Delete takes a plugin's routes away. Its versions, vars and data stay: deploy a
plugin of the same name and it finds them again. With --purge they are gone for
good.`,
		Args:              cli.Takes("NAME"),
		ValidArgsFunction: p.completePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		return p.delete(cmd.Context(), args[0], purge, yes)
	})
	cmd.Flags().BoolVar(&purge, "purge", false, "also remove versions, vars and data")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return p.asks(cmd)
}

func (p *Commands) delete(ctx context.Context, name string, purge, yes bool) error {
	return p.about(ctx, name, func(c *client.Client) error {
		if err := p.confirmDelete(ctx, c, name, purge, yes); err != nil {
			return err
		}
		if err := c.Delete(ctx, name, purge); err != nil {
			return err
		}
		if purge {
			p.Note("deleted %s and its data", name)
		} else {
			p.Note("deleted %s; its data stays (remove it with `wasmoor delete %s --purge`)", name, name)
		}
		return nil
	})
}

// confirmDelete asks on a terminal. Elsewhere only what cannot be taken back
// needs a --yes.
func (p *Commands) confirmDelete(ctx context.Context, c *client.Client, name string, purge, yes bool) error {
	switch {
	case yes:
		return nil
	case !term.IsTerminal(p.Stdin) && !purge:
		return nil
	case !term.IsTerminal(p.Stdin):
		return cli.Usage("delete --purge removes the data of %q for good; add --yes to confirm", name)
	}
	it, err := c.Plugin(ctx, name)
	if err != nil {
		return err
	}
	question := fmt.Sprintf("Stop serving %s at %s?", name, strings.Join(it.Mount, " "))
	if purge {
		question = fmt.Sprintf("Remove %s with %d keys (%s) for good?", name, it.Usage.Keys, term.Size(it.Usage.Bytes))
	}
	if !p.Ask(question) {
		p.Note("nothing was changed")
		return cli.Ended(cli.ExitFailure)
	}
	return nil
}

func versionName(version int) string {
	if version == 0 {
		return ""
	}
	return strconv.Itoa(version)
}
