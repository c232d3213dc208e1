package author

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/project"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
)

// InspectCommand returns `wasmoor inspect`.
func (p *Commands) InspectCommand() *cobra.Command {
	var manifestOnly bool
	cmd := p.Reads(p.Does(&cobra.Command{
		Use:   "inspect FILE",
		Short: "Show what a module imports, exports and asks for, and whether this host takes it",
		Long: `Inspect shows a module as deploy would send it: with the manifest it carries, or
else with the one next to it. It runs the module's initialisation, as a deploy
does, to see whether this host takes it; if not, the exit code is 1. It says what
a server with the same settings says: --config names that server's file.`,
		Args: cli.Takes("FILE"),
	}, func(cmd *cobra.Command, args []string) error {
		if manifestOnly {
			return p.showManifest(args[0])
		}
		cfg, err := p.buildConfig(cmd.Flags())
		if err != nil {
			return err
		}
		return p.inspect(cmd.Context(), cfg, args[0])
	}))
	p.settings.AddBuild(cmd.Flags())
	cmd.Flags().BoolVar(&manifestOnly, "manifest", false, "write the text of the manifest and nothing else")
	cmd.MarkFlagsMutuallyExclusive("manifest", "json")
	return cmd
}

func (p *Commands) showManifest(file string) error {
	l, err := project.LoadFile(p.Context(), file)
	if err != nil {
		return err
	}
	text, ok, err := wasmbin.CustomSection(l.Module, abi.ManifestSection)
	if err != nil {
		return cli.InFile(file, err)
	}
	if !ok {
		return fault.New(fault.NotFound, "", fmt.Sprintf("%s carries no manifest, and no %s is next to it", file, manifest.FileName))
	}
	return p.Data(text)
}

func (p *Commands) inspect(ctx context.Context, cfg host.Config, file string) error {
	l, err := project.LoadFile(p.Context(), file)
	if err != nil {
		return err
	}
	report, err := host.Inspect(ctx, cfg, l.Module)
	if err != nil {
		return cli.InFile(file, err)
	}
	if p.AsJSON {
		if err := p.JSON(report); err != nil {
			return err
		}
	} else {
		p.showReport(file, l.Source, report)
	}
	if !report.Accepted {
		return cli.Ended(cli.ExitFailure)
	}
	return nil
}

func (p *Commands) showReport(file, source string, r *host.Report) {
	w := tabwriter.NewWriter(p.Stdout, 0, 0, 2, ' ', 0)
	row := func(cells ...string) {
		for i, cell := range cells {
			cells[i] = term.Printable(cell)
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	row("module", file)
	row("size", term.Size(r.Size))
	row("digest", r.Digest)
	row("abi", r.ABI)
	row("memory", memoryText(r))
	row("manifest", source)
	row("name", r.Name)
	row("routes", term.Joined(r.Routes, "the whole mount"))
	if len(r.Slashes) > 0 {
		row("encoded slashes", term.Joined(r.Slashes, ""))
	}
	row("asks for", term.Joined(r.Asks, "nothing"))
	_ = w.Flush()
	fmt.Fprintf(p.Stdout, "\nimports (%d)\n", len(r.Imports))
	for _, i := range r.Imports {
		row("  "+i.Module+"."+i.Name, i.Type, "from "+cmp.Or(i.By, "NOBODY"))
	}
	_ = w.Flush()
	fmt.Fprintf(p.Stdout, "\nexports (%d)\n", len(r.Exports))
	for _, e := range r.Exports {
		row("  "+e.Name, e.Kind, e.Type)
	}
	_ = w.Flush()
	p.showVerdict(r)
}

func (p *Commands) showVerdict(r *host.Report) {
	if r.Accepted {
		fmt.Fprintf(p.Stdout, "\n%s this host takes it\n", p.Paint(p.Stdout, term.Green, "ok"))
		for _, text := range r.Notices {
			fmt.Fprintf(p.Stdout, "%s %s\n", p.Paint(p.Stdout, term.Yellow, "notice"), term.Printable(text))
		}
		return
	}
	fmt.Fprintf(p.Stdout, "\n%s this host would refuse it:\n", p.Paint(p.Stdout, term.Red, "no"))
	for _, problem := range r.Problems {
		fmt.Fprintf(p.Stdout, "  %s\n", strings.ReplaceAll(problem, "\n", "\n  "))
	}
}

func memoryText(r *host.Report) string {
	switch {
	case r.Memory == nil:
		return "none of its own"
	case r.Memory.Max == 0:
		return term.Size(r.Memory.Min) + " at start"
	}
	return term.Size(r.Memory.Min) + " at start, at most " + term.Size(r.Memory.Max)
}
