package tend

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
)

// BindCommand returns `wasmoor bind`.
func (p *Commands) BindCommand() *cobra.Command {
	return p.Asks(p.Reads(p.Does(&cobra.Command{
		Use:   "bind NAME [SERVICE=PLUGIN...]",
		Short: "Show the plugins that a plugin calls, and have it call others",
		Long: `Bind has a name of [services] in the manifest of plugin NAME stand for another plugin
than the manifest says, whatever version serves: so that a plugin for trials does not call
those of production. It is one new deployment. Without a SERVICE it lists them, and what
each may do. It takes the role operator for NAME, and for each PLUGIN.`,
		Example: `  wasmoor bind orders
  wasmoor bind orders-staging stock=stock-staging`,
		Args:              cli.TakesMany("NAME"),
		ValidArgsFunction: p.CompletePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		name, to := args[0], map[string]string{}
		for _, pair := range args[1:] {
			service, plugin, ok := strings.Cut(pair, "=")
			if _, twice := to[service]; !ok || service == "" || plugin == "" || twice {
				return cli.Usage("%q is no binding; write SERVICE=PLUGIN, each SERVICE once", pair)
			}
			to[service] = plugin
		}
		return p.About(cmd.Context(), name, func(c *client.Client) error {
			if len(to) == 0 {
				list, err := c.Services(cmd.Context(), name)
				if err != nil || p.AsJSON {
					return p.JSONUnless(err, term.List(list))
				}
				return p.Table("it calls no plugin", "SERVICE PLUGIN SAYS GRANTED SERVES ABOUT", serviceRows(list))
			}
			changed, err := c.Bind(cmd.Context(), name, adminapi.Bindings{Bind: to})
			if err != nil {
				return err
			}
			p.Note("bound %s of %s", strings.Join(args[1:], ", "), name)
			return p.ShowChange(changed)
		})
	})))
}

func serviceRows(list []adminapi.Service) (rows [][]string) {
	for _, s := range list {
		says := "manifest"
		if s.Bound {
			says = "operator"
		}
		for i, line := range s.About {
			row := []string{"", "", "", "", "", line}
			if i == 0 {
				row = []string{s.Name, s.Plugin, says, yesNo(s.Granted), yesNo(s.Serves), line}
			}
			rows = append(rows, row)
		}
	}
	return rows
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

// UnbindCommand returns `wasmoor unbind`.
func (p *Commands) UnbindCommand() *cobra.Command {
	return p.Asks(p.Reads(p.Does(&cobra.Command{
		Use:     "unbind NAME SERVICE...",
		Short:   "Have a plugin call those that its manifest says",
		Example: `  wasmoor unbind orders-staging stock`,
		Long: `Unbind has names of [services] stand for the plugins that the manifest says, which counts
as approved. It is one new deployment. It takes the role operator for NAME, and for each
plugin that is called from then on.`,
		Args:              cli.TakesMany("NAME", "SERVICE"),
		ValidArgsFunction: p.CompletePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		return p.About(cmd.Context(), args[0], func(c *client.Client) error {
			changed, err := c.Bind(cmd.Context(), args[0], adminapi.Bindings{Unbind: args[1:]})
			if err != nil {
				return err
			}
			p.Note("unbound %s of %s", strings.Join(args[1:], ", "), args[0])
			return p.ShowChange(changed)
		})
	})))
}
