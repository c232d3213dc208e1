package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
)

func versionCommand(p *cli.Program) *cobra.Command {
	return p.Reads(p.Does(&cobra.Command{
		Use:   "version",
		Short: "Show the version of this binary",
		Args:  cli.Takes(),
	}, func(*cobra.Command, []string) error {
		if p.AsJSON {
			return p.JSON(map[string]string{
				"version": host.Version(), "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH,
			})
		}
		fmt.Fprintf(p.Stdout, "wasmoor %s (%s, %s/%s)\n", host.Version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
		return nil
	}))
}
