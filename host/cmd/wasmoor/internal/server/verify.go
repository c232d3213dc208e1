package server

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
)

// VerifyCommand returns `wasmoor verify`.
func (p *Commands) VerifyCommand() *cobra.Command {
	cmd := p.Reads(p.Does(&cobra.Command{
		Use:   "verify",
		Short: "Read all that is stored, to the last byte, and say what is damaged",
		Long: `Verify reads the store of a data folder without a server and checks every
checksum, that no file is missing, and that each entry has the store's format.
It changes nothing. What a crash leaves is told from damage: the next start
tidies it up.

A server that runs has the folder to itself, and verifies it by itself, slowly
(scrub_period). The exit code is 1 when something is damaged: restore a backup.`,
		Example: `  sudo systemctl stop wasmoor && wasmoor verify --data /var/lib/wasmoor`,
		Args:    cli.Takes(),
	}, func(cmd *cobra.Command, _ []string) error {
		settings, err := p.settings(cmd.Flags())
		if err != nil {
			return err
		}
		return p.verify(cmd.Context(), settings.Host)
	}))
	addSettings(cmd.Flags())
	return cmd
}

func (p *Commands) verify(ctx context.Context, cfg host.Config) error {
	found, err := host.Verify(ctx, cfg, p.Progress())
	if err != nil {
		return err
	}
	if err := p.showFound(found); err != nil {
		return err
	}
	for _, d := range found.Damage {
		p.Complain(d.Error())
	}
	if len(found.Damage) > 0 {
		return cli.Ended(cli.ExitFailure)
	}
	return nil
}

// verified holds the findings, as --json shows them.
type verified struct {
	Files  []verifiedFile  `json:"files"`
	Damage []verifiedWrong `json:"damage"`
}

type verifiedFile struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
	State string `json:"state"`
}

type verifiedWrong struct {
	File string `json:"file"`
	What string `json:"what"`
}

func newVerified(found host.Verified) verified {
	v := verified{Files: []verifiedFile{}, Damage: []verifiedWrong{}}
	for _, f := range found.Files {
		v.Files = append(v.Files, verifiedFile(f))
	}
	for _, d := range found.Damage {
		v.Damage = append(v.Damage, verifiedWrong(*d))
	}
	return v
}

// showFound writes what was read, and in what state it is.
func (p *Commands) showFound(found host.Verified) error {
	if p.AsJSON {
		return p.JSON(newVerified(found))
	}
	var rows [][]string
	for _, f := range found.Files {
		rows = append(rows, []string{f.Name, term.Size(f.Bytes), f.State})
	}
	return p.Table("nothing is stored", "FILE SIZE STATE", rows)
}
