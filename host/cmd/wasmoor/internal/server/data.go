package server

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
)

// DataCommand returns `wasmoor data`.
func (p *Commands) DataCommand() *cobra.Command {
	cmd := p.Parent(&cobra.Command{
		Use:   "data",
		Short: "Ask about a data folder, and about the data of plugins",
	})
	cmd.AddCommand(p.dataVersionCommand())
	return cmd
}

func (p *Commands) dataVersionCommand() *cobra.Command {
	cmd := p.Reads(p.Does(&cobra.Command{
		Use:   "version",
		Short: "Show which formats this binary and a data folder have",
		Long: `Data version shows the formats of the store, of the registry's records, of what
was built of modules (artefacts) and of the contract with guests (ABI): those this
binary writes, and those the folder was last written with. It works while a server
runs.

A binary upgrades a folder of older formats at its start, and refuses one of a
newer store, registry or ABI. Artefacts of another format are built again. The
exit code is 1 when this binary refuses the folder.`,
		Example: `  wasmoor data version --data /var/lib/wasmoor`,
		Args:    cli.Takes(),
	}, func(cmd *cobra.Command, _ []string) error {
		settings, err := p.settings(cmd.Flags())
		if err != nil {
			return err
		}
		return p.dataVersion(settings.Host)
	}))
	addSettings(cmd.Flags())
	return cmd
}

func (p *Commands) dataVersion(cfg host.Config) error {
	v, err := host.ReadDataVersion(cfg)
	if err != nil {
		return err
	}
	if p.AsJSON {
		err = p.JSON(v)
	} else {
		row := func(part string, binary, folder int) []string {
			return []string{part, strconv.Itoa(binary), strconv.Itoa(folder)}
		}
		err = p.Table("", "FORMAT BINARY FOLDER", [][]string{
			{"program", v.Binary.Program, v.Folder.Program},
			row("store", v.Binary.Store, v.Folder.Store),
			row("registry", v.Binary.Registry, v.Folder.Registry),
			row("artefact", v.Binary.Artefact, v.Folder.Artefact),
			row("ABI", v.Binary.ABI, v.Folder.ABI),
		})
	}
	if err == nil && v.Refused != "" {
		p.Complain(v.Refused)
		return cli.Ended(cli.ExitFailure)
	}
	return err
}
