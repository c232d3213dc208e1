package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host"
)

func (p *program) versionCommand() *cobra.Command {
	return p.reads(p.does(&cobra.Command{
		Use:   "version",
		Short: "Show the version of this binary",
		Args:  takes(),
	}, func(*cobra.Command, []string) error {
		if p.asJSON {
			return p.json(map[string]string{
				"version": host.Version(), "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH,
			})
		}
		fmt.Fprintf(p.stdout, "wasmoor %s (%s, %s/%s)\n", host.Version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
		return nil
	}))
}
