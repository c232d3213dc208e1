package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/internal/buildinfo"
)

func versionCommand(p *cli.Program) *cobra.Command {
	return p.Reads(p.Does(&cobra.Command{
		Use:   "version",
		Short: "Show what this binary was built of",
		Args:  cli.Takes(),
	}, func(*cobra.Command, []string) error {
		info := buildinfo.Read()
		if p.AsJSON {
			return p.JSON(info)
		}
		fmt.Fprintf(p.Stdout, "wasmoor %s (%s, %s)\n", info.Version, info.Go, info.Platform)
		if info.Commit != "" {
			state := ""
			if info.Dirty {
				state = ", with changes that were not committed"
			}
			fmt.Fprintf(p.Stdout, "commit %s of %s%s\n", info.Commit, info.Date, state)
		}
		for _, name := range slices.Sorted(maps.Keys(info.Modules)) {
			fmt.Fprintf(p.Stdout, "%s %s\n", name, info.Modules[name])
		}
		return nil
	}))
}
