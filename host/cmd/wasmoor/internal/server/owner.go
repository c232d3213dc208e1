package server

import (
	"cmp"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
)

// ResetOwnerCommand returns `wasmoor token reset-owner`.
func (p *Commands) ResetOwnerCommand() *cobra.Command {
	cmd := p.Does(&cobra.Command{
		Use:   "reset-owner",
		Short: "Put a new token of the owner in place of a lost one, on the server's machine",
		Long: `Reset-owner writes a new token into the token file of a data folder. It needs no
token: run it as the user that the server runs as. A server that runs takes the new
one at once, and the old one is worth nothing from then on. Other tokens stay.`,
		Example: `  wasmoor token reset-owner --data /var/lib/wasmoor`,
		Args:    cli.Takes(),
	}, func(cmd *cobra.Command, _ []string) error {
		settings, err := p.settings(cmd.Flags())
		if err != nil {
			return err
		}
		file := cmp.Or(settings.Host.TokenFile, host.TokenFile(settings.Host.DataDir))
		if err := host.ResetOwner(file); err != nil {
			return err
		}
		p.Note("the owner has a new token, in %s", file)
		return nil
	})
	addSettings(cmd.Flags())
	return cmd
}
