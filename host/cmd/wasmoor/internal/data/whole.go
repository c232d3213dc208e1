package data

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
	"github.com/wasmoor/wasmoor/host/internal/transfer"
)

func (p *Commands) exportAllCommand() *cobra.Command {
	var out string
	cmd := p.Does(&cobra.Command{
		Use:   "export NAME --out FILE",
		Short: "Write all data of a plugin into an archive",
		Long: `Export writes the data of a plugin while it serves, all of one revision: keys,
databases, blobs, messages, events that are kept, schedules and kept answers. It is a tar
archive in zstd, with a SHA-256 of each part and of the whole. Vars, secrets and modules
are not in it.`,
		Example: `  wasmoor data export shop --out shop.tar.zst
  wasmoor data export shop --out - | age -r age1... > shop.tar.zst.age`,
		Args:              cli.Takes("NAME"),
		ValidArgsFunction: p.CompletePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		if out == "" || out == "-" && term.IsTerminal(p.Stdout) {
			return cli.Usage("--out is missing: name a file, or - for a pipe")
		}
		return p.About(cmd.Context(), args[0], func(c *client.Client) error {
			return p.ToFile(out, false, func(w io.Writer) error {
				return c.ExportData(cmd.Context(), args[0], func(r io.Reader) error {
					info, err := transfer.Verify(io.TeeReader(p.Passing(r, 0), w))
					if err == nil {
						p.Note("%d entries of revision %d, %s, sha256 %s", info.Entries, info.Revision, term.Size(info.Size), info.SHA256)
					}
					return err
				})
			})
		})
	})
	cmd.Flags().StringVar(&out, "out", "", "file that is not there yet; - = standard output")
	return cmd
}

func (p *Commands) importAllCommand() *cobra.Command {
	in := adminapi.DataImport{}
	cmd := p.Reads(p.Does(&cobra.Command{
		Use:   "import NAME FILE",
		Short: "Put the data of an archive in place of a plugin's",
		Long: `Import brings the data of an archive of ` + "`wasmoor data export`" + ` into a plugin, of the same
name or of another. The plugin serves what it has until all is there and checked; then it
serves the new data, from one request to the next. For that moment its writes are answered
503. If anything goes wrong before, nothing has changed, after a crash too.

With --replace, data that the plugin has is removed. --data-only takes keys, databases and
blobs, and no messages, events, schedules or kept answers: so do it for staging, where a
message of production is not to be handled again. An older archive has names of blobs
without their bytes: it is refused unless the server has them.`,
		Example: `  wasmoor data import shop shop.tar.zst --replace
  wasmoor data import shop-staging shop.tar.zst --data-only`,
		Args:              cli.Takes("NAME", "FILE"),
		ValidArgsFunction: p.CompletePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		in.Name = args[0]
		from, err := p.FromFile(cmd.Context(), args[1])
		if err != nil {
			return err
		}
		defer func() { _ = from.Close() }() // only read
		return p.About(cmd.Context(), in.Name, func(c *client.Client) error {
			moved, err := c.ImportData(cmd.Context(), in, p.Passing(from, 0))
			return p.moved(moved, in.Name, err)
		})
	}))
	cmd.Flags().BoolVar(&in.Replace, "replace", false, "remove the data that the plugin has")
	cmd.Flags().BoolVar(&in.DataOnly, "data-only", false, "no messages, events, schedules or kept answers")
	return cmd
}

func (p *Commands) copyCommand() *cobra.Command {
	in := adminapi.DataCopy{}
	cmd := p.Reads(p.Does(&cobra.Command{
		Use:   "copy FROM TO",
		Short: "Put the data of one plugin in place of that of another",
		Long: `Copy brings the keys, databases and blobs that FROM has at one revision into TO, on the
same server, while both serve: for a staging of production. TO is switched over as by
` + "`wasmoor data import`" + `. Messages, events, schedules, kept answers, vars and secrets are
not copied, so that nothing of production is sent or handled twice; those of TO begin
anew, but for its vars and secrets, which stay. It takes the role operator for both.`,
		Example:           `  wasmoor data copy shop shop-staging --replace`,
		Args:              cli.Takes("FROM", "TO"),
		ValidArgsFunction: p.CompletePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		in.From = args[0]
		return p.About(cmd.Context(), args[0], func(*client.Client) error {
			return p.About(cmd.Context(), args[1], func(c *client.Client) error {
				moved, err := c.CopyData(cmd.Context(), in, args[1])
				return p.moved(moved, args[1], err)
			})
		})
	}))
	cmd.Flags().BoolVar(&in.Replace, "replace", false, "remove the data that TO has")
	return cmd
}

// moved says what was put in place.
func (p *Commands) moved(m adminapi.DataMoved, to string, err error) error {
	if err != nil || p.AsJSON {
		return p.JSONUnless(err, m)
	}
	p.Note("%s has the data of %s at revision %d: %d keys, %s", to, m.From, m.Revision, m.Keys, term.Size(m.Bytes))
	return nil
}
