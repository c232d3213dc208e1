package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
)

func (p *program) inspectCommand() *cobra.Command {
	var manifestOnly bool
	cmd := p.reads(p.does(&cobra.Command{
		Use:   "inspect FILE",
		Short: "Show what a module imports, exports and asks for, and whether this host takes it",
		Long: `Inspect shows a module as deploy would send it: with the manifest it carries, or
else with the one beside it. It runs the module's initialisation, as a deploy
does, to see whether this host takes it; if not, the exit code is 1.`,
		Args: takes("FILE"),
	}, func(cmd *cobra.Command, args []string) error {
		if manifestOnly {
			return p.showManifest(args[0])
		}
		return p.inspect(cmd.Context(), args[0])
	}))
	cmd.Flags().BoolVar(&manifestOnly, "manifest", false, "write the text of the manifest and nothing else")
	cmd.MarkFlagsMutuallyExclusive("manifest", "json")
	return cmd
}

func (p *program) showManifest(file string) error {
	l, err := loadFile(file)
	if err != nil {
		return err
	}
	text, ok, err := wasmbin.CustomSection(l.module, abi.ManifestSection)
	if err != nil {
		return inFile(file, err)
	}
	if !ok {
		return fault.New(fault.NotFound, "", fmt.Sprintf("%s carries no manifest, and no %s is beside it", file, manifest.FileName))
	}
	return p.data(text)
}

func (p *program) inspect(ctx context.Context, file string) error {
	l, err := loadFile(file)
	if err != nil {
		return err
	}
	build, err := buildCommand()
	if err != nil {
		return err
	}
	report, err := host.Inspect(ctx, l.module, build...)
	if err != nil {
		return inFile(file, err)
	}
	if p.asJSON {
		if err := p.json(report); err != nil {
			return err
		}
	} else {
		p.showReport(file, l.source, report)
	}
	if !report.Accepted {
		return ended{exitFailure}
	}
	return nil
}

func (p *program) showReport(file, source string, r *host.Report) {
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	row := func(cells ...string) {
		for i, cell := range cells {
			cells[i] = printable(cell)
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	row("module", file)
	row("size", size(r.Size))
	row("digest", r.Digest)
	row("abi", r.ABI)
	row("memory", memoryText(r))
	row("manifest", source)
	row("name", r.Name)
	row("routes", whole(r.Routes, "the whole mount"))
	row("asks for", whole(r.Asks, "nothing"))
	_ = w.Flush()
	fmt.Fprintf(p.stdout, "\nimports (%d)\n", len(r.Imports))
	for _, i := range r.Imports {
		by := i.By
		if by == "" {
			by = "NOBODY"
		}
		row("  "+i.Module+"."+i.Name, i.Type, "from "+by)
	}
	_ = w.Flush()
	fmt.Fprintf(p.stdout, "\nexports (%d)\n", len(r.Exports))
	for _, e := range r.Exports {
		row("  "+e.Name, e.Kind, e.Type)
	}
	_ = w.Flush()
	p.showVerdict(r)
}

func (p *program) showVerdict(r *host.Report) {
	if r.Accepted {
		fmt.Fprintf(p.stdout, "\n%s this host takes it\n", p.paint(p.stdout, green, "ok"))
		for _, text := range r.Notices {
			fmt.Fprintf(p.stdout, "%s %s\n", p.paint(p.stdout, yellow, "notice"), printable(text))
		}
		return
	}
	fmt.Fprintf(p.stdout, "\n%s this host would refuse it:\n", p.paint(p.stdout, red, "no"))
	for _, problem := range r.Problems {
		fmt.Fprintf(p.stdout, "  %s\n", strings.ReplaceAll(problem, "\n", "\n  "))
	}
}

func memoryText(r *host.Report) string {
	switch {
	case r.Memory == nil:
		return "none of its own"
	case r.Memory.Max == 0:
		return size(r.Memory.Min) + " at start"
	}
	return size(r.Memory.Min) + " at start, at most " + size(r.Memory.Max)
}

// whole joins items, or says what none of them means.
func whole(items []string, none string) string {
	if len(items) == 0 {
		return none
	}
	return strings.Join(items, ", ")
}
