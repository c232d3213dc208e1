package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host"
)

func (p *program) verifyCommand() *cobra.Command {
	cmd := p.reads(p.does(&cobra.Command{
		Use:   "verify",
		Short: "Read all that is stored, to the last byte, and say what is damaged",
		Long: `Verify reads the store of a data folder without a server and checks every
checksum, that no file is missing, and that each entry has the store's format.
It changes nothing. What a crash leaves is told from damage: the next start
tidies it up.

A server that runs has the folder to itself, and verifies it by itself, slowly
(scrub_period). The exit code is 1 when something is damaged: restore a backup.`,
		Example: `  sudo systemctl stop wasmoor && wasmoor verify --data /var/lib/wasmoor`,
		Args:    takes(),
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

func (p *program) verify(ctx context.Context, cfg host.Config) error {
	found, err := host.Verify(ctx, cfg, p.progress())
	if err != nil {
		return err
	}
	if p.asJSON {
		found.Files, found.Damage = list(found.Files), list(found.Damage)
		if err := p.json(found); err != nil {
			return err
		}
	} else {
		var rows [][]string
		for _, f := range found.Files {
			rows = append(rows, []string{f.Name, size(f.Bytes), f.State})
		}
		if err := p.table("nothing is stored", "FILE SIZE STATE", rows); err != nil {
			return err
		}
	}
	for _, d := range found.Damage {
		p.complain(d.Error())
	}
	if len(found.Damage) > 0 {
		return ended{exitFailure}
	}
	return nil
}

// progress returns what shows a person how far a reading is, nil for a script.
func (p *program) progress() func(done, total int64) {
	if !isTerminal(p.stderr) {
		return nil
	}
	shown := time.Now()
	return func(done, total int64) {
		if time.Since(shown) < 100*time.Millisecond && done < total {
			return
		}
		shown = time.Now()
		fmt.Fprintf(p.stderr, "\r\x1b[K  %s of %s", size(done), size(total))
		if done >= total {
			fmt.Fprint(p.stderr, "\r\x1b[K")
		}
	}
}
