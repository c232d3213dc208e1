package rollout

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
)

// PreviewCommand returns `wasmoor preview`.
func (p *Commands) PreviewCommand() *cobra.Command {
	var in adminapi.NewPreview
	var lasts time.Duration
	cmd := p.Quick(p.Asks(p.Reads(p.Does(&cobra.Command{
		Use:   "preview NAME [VERSION]",
		Short: "Let a version serve at an address of its own, before it gets any traffic",
		Long: `Preview writes the URL of a version. Nobody can guess it, whoever knows it may use
it, and it ends by itself. It works with the plugin's data, vars and grant of now.
What it writes is dropped, unless --writes keeps it; its calls to other services are
made.`,
		Example: `  wasmoor deploy shop --no-activate
  wasmoor preview shop 4
  wasmoor preview shop --end`,
		Args:              cobra.RangeArgs(1, 2),
		ValidArgsFunction: p.CompleteVersions,
	}, func(cmd *cobra.Command, args []string) error {
		switch {
		case in.End && len(args) == 2:
			return cli.Usage("--end ends all previews of %s; leave VERSION out", args[0])
		case !in.End && len(args) == 1:
			return cli.Usage("which version of %s? see `wasmoor versions %s`", args[0], args[0])
		case lasts < time.Minute || lasts > 24*time.Hour:
			return cli.Usage("--for must be from 1m to 24h, not %v", lasts)
		}
		in.Minutes = int(lasts / time.Minute)
		if !in.End {
			version, err := cli.Version(args)
			if err != nil {
				return err
			}
			in.Version = version
		}
		return p.preview(cmd, args[0], in)
	}))))
	flags := cmd.Flags()
	flags.DurationVar(&lasts, "for", time.Hour, "how long it lasts, at most 24h")
	flags.BoolVar(&in.Writes, "writes", false, "keep what it writes")
	flags.BoolVar(&in.End, "end", false, "end all previews of the plugin")
	return cmd
}

func (p *Commands) preview(cmd *cobra.Command, name string, in adminapi.NewPreview) error {
	return p.About(cmd.Context(), name, func(c *client.Client) error {
		v, err := c.Preview(cmd.Context(), name, in)
		if err != nil || p.AsJSON {
			return p.JSONUnless(err, v)
		}
		if in.End {
			p.Note("ended %d previews of %s", v.Ended, name)
			return nil
		}
		kept := "what it writes is dropped"
		if v.Writes {
			kept = "what it writes is kept"
		}
		p.Note("version %d of %s serves there for %v; %s", v.Version, name, time.Duration(in.Minutes)*time.Minute, kept)
		fmt.Fprintln(p.Stdout, v.URL)
		return nil
	})
}
