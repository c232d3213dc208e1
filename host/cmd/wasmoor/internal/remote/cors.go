package remote

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// CORSCommand returns `wasmoor cors`.
func (p *Commands) CORSCommand() *cobra.Command {
	cmd := p.Parent(&cobra.Command{
		Use:   "cors",
		Short: "Let pages of other origins read a plugin's answers",
		Long: `A browser shows a plugin's answers to pages of other origins only if a policy
allows it. Where one is set, the host answers preflights, without the plugin, and
replaces the CORS headers of the plugin's own. Each change is a new deployment.`,
	})
	p.Flags(cmd.PersistentFlags())
	cmd.AddCommand(p.corsSetCommand(), p.corsShowCommand(), p.corsUnsetCommand())
	return cmd
}

func (p *Commands) corsSetCommand() *cobra.Command {
	var policy adminapi.CORS
	var maxAge time.Duration
	cmd := p.Reads(p.Does(&cobra.Command{
		Use:   "set NAME --origin ORIGIN",
		Short: "Set the policy, in place of the one there is",
		Example: `  wasmoor cors set links --origin https://app.example.org --method GET --method PUT \
      --header content-type --credentials
  wasmoor cors set links --origin "*"`,
		Args:              cli.Takes("NAME"),
		ValidArgsFunction: p.completePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		policy.MaxAge = int(maxAge / time.Second)
		if len(policy.Origins) == 0 {
			return cli.Usage("--origin is missing; name where the pages are, e.g. --origin https://app.example.org")
		}
		if err := (*plugin.CORS)(&policy).Check(); err != nil {
			return cli.Usage("%s", fault.MessageOf(err))
		}
		return p.about(cmd.Context(), args[0], func(c *client.Client) error {
			changed, err := c.SetCORS(cmd.Context(), args[0], policy)
			if err != nil {
				return err
			}
			p.Note("set the CORS policy of %s", args[0])
			return p.showChange(changed)
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

func (p *Commands) corsShowCommand() *cobra.Command {
	return p.Reads(p.Does(&cobra.Command{
		Use:               "show NAME",
		Short:             "Show the policy",
		Args:              cli.Takes("NAME"),
		ValidArgsFunction: p.completePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		return p.about(cmd.Context(), args[0], func(c *client.Client) error {
			policy, err := c.CORS(cmd.Context(), args[0])
			if err != nil || p.AsJSON {
				return p.JSONUnless(err, policy)
			}
			return p.Table("", "WHAT ALLOWED", [][]string{
				{"origins", term.Joined(policy.Origins, "none")},
				{"methods", term.Joined(policy.Methods, "GET, HEAD, POST")},
				{"headers", term.Joined(policy.Headers, "none")},
				{"exposed", term.Joined(policy.Expose, "none")},
				{"credentials", fmt.Sprint(policy.Credentials)},
				{"max age", fmt.Sprint(time.Duration(policy.MaxAge) * time.Second)},
			})
		})
	}))
}

func (p *Commands) corsUnsetCommand() *cobra.Command {
	return p.Reads(p.Does(&cobra.Command{
		Use:               "unset NAME",
		Short:             "Remove the policy: CORS is the plugin's own affair again",
		Args:              cli.Takes("NAME"),
		ValidArgsFunction: p.completePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		return p.about(cmd.Context(), args[0], func(c *client.Client) error {
			changed, err := c.UnsetCORS(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			p.Note("removed the CORS policy of %s", args[0])
			return p.showChange(changed)
		})
	}))
}
