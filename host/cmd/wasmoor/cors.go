package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/internal/client"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

func (p *program) corsCommand() *cobra.Command {
	cmd := p.parent(&cobra.Command{
		Use:   "cors",
		Short: "Let pages of other origins read a plugin's answers",
		Long: `A browser shows a plugin's answers to pages of other origins only if a policy
allows it. Where one is set, the host answers preflights, without the plugin, and
replaces the CORS headers of the plugin's own. Each change is a new deployment.`,
	}, "")
	p.remoteFlags(cmd.PersistentFlags())
	cmd.AddCommand(p.corsSetCommand(), p.corsShowCommand(), p.corsUnsetCommand())
	return cmd
}

func (p *program) corsSetCommand() *cobra.Command {
	var policy plugin.CORS
	var maxAge time.Duration
	cmd := p.reads(p.does(&cobra.Command{
		Use:   "set NAME --origin ORIGIN",
		Short: "Set the policy, in place of the one there is",
		Example: `  wasmoor cors set links --origin https://app.example.org --method GET --method PUT \
      --header content-type --credentials
  wasmoor cors set links --origin "*"`,
		Args:              takes("NAME"),
		ValidArgsFunction: p.completePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		policy.MaxAge = int(maxAge / time.Second)
		if len(policy.Origins) == 0 {
			return usage("--origin is missing; name where the pages are, e.g. --origin https://app.example.org")
		}
		if err := policy.Check(); err != nil {
			return usage("%s", fault.MessageOf(err))
		}
		return p.about(cmd.Context(), args[0], func(c *client.Client) error {
			outcome, err := c.SetCORS(cmd.Context(), args[0], policy)
			if err != nil {
				return err
			}
			p.note("set the CORS policy of %s", args[0])
			return p.showChange(outcome)
		})
	}))
	flags := cmd.Flags()
	flags.StringArrayVar(&policy.Origins, "origin", nil, `an origin, e.g. https://example.org, or "*" for every one; may be repeated`)
	flags.StringArrayVar(&policy.Methods, "method", nil, "a method pages may use; may be repeated (default GET, HEAD and POST)")
	flags.StringArrayVar(&policy.Headers, "header", nil, `a request header pages may set, or "*"; may be repeated`)
	flags.StringArrayVar(&policy.Expose, "expose", nil, `a response header pages may read, or "*"; may be repeated`)
	flags.BoolVar(&policy.Credentials, "credentials", false, "let requests carry cookies and the like")
	flags.DurationVar(&maxAge, "max-age", 0, "how long browsers may remember a preflight, e.g. 10m")
	return cmd
}

func (p *program) corsShowCommand() *cobra.Command {
	return p.reads(p.does(&cobra.Command{
		Use:               "show NAME",
		Short:             "Show the policy",
		Args:              takes("NAME"),
		ValidArgsFunction: p.completePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		return p.about(cmd.Context(), args[0], func(c *client.Client) error {
			policy, err := c.CORS(cmd.Context(), args[0])
			if err != nil || p.asJSON {
				return p.jsonUnless(err, policy)
			}
			list := func(items []string, none string) string { return cmp.Or(strings.Join(items, ", "), none) }
			return p.table("", "WHAT ALLOWED", [][]string{
				{"origins", list(policy.Origins, "none")},
				{"methods", list(policy.Methods, "GET, HEAD, POST")},
				{"headers", list(policy.Headers, "none")},
				{"exposed", list(policy.Expose, "none")},
				{"credentials", fmt.Sprint(policy.Credentials)},
				{"max age", fmt.Sprint(time.Duration(policy.MaxAge) * time.Second)},
			})
		})
	}))
}

func (p *program) corsUnsetCommand() *cobra.Command {
	return p.reads(p.does(&cobra.Command{
		Use:               "unset NAME",
		Short:             "Remove the policy: CORS is the plugin's own affair again",
		Args:              takes("NAME"),
		ValidArgsFunction: p.completePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		return p.about(cmd.Context(), args[0], func(c *client.Client) error {
			outcome, err := c.UnsetCORS(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			p.note("removed the CORS policy of %s", args[0])
			return p.showChange(outcome)
		})
	}))
}
