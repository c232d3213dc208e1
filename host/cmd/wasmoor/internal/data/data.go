// Package data holds the commands that count the data of plugins, and bring it out of a
// server and in. They talk to a server as those of package remote do.
package data

import (
	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/remote"
)

// Commands are the commands of one run of the program.
type Commands struct{ *remote.Commands }

// New returns the commands, which find their server as those of p do.
func New(p *remote.Commands) *Commands { return &Commands{p} }

// OfData adds what `wasmoor data` has of a server to it.
func (p *Commands) OfData(cmd *cobra.Command) *cobra.Command {
	for _, c := range []*cobra.Command{p.sizesCommand(), p.exportAllCommand(), p.importAllCommand(), p.copyCommand()} {
		p.Flags(c.Flags())
		cmd.AddCommand(c)
	}
	return cmd
}

// OfKeys adds what `wasmoor kv` has of many keys to it.
func (p *Commands) OfKeys(cmd *cobra.Command) *cobra.Command {
	cmd.AddCommand(p.exportCommand(), p.importCommand())
	return cmd
}
