package backup

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/backup"
)

// Shipped restores what a server has shipped to a place.
type Shipped func(ctx context.Context, from, dir, to, identity string) error

// RestoreCommand returns `wasmoor restore`.
func (p *Commands) RestoreCommand(shipped Shipped) *cobra.Command {
	var data, to, identity string
	cmd := p.Reads(p.Does(&cobra.Command{
		Use:   "restore SRC",
		Short: "Bring a backup, or what a server has shipped, into an empty data folder",
		Long: `Restore fills a folder that is empty or not there yet; it never goes over data. SRC is
a backup in a file, - for standard input, or a folder or s3://bucket/prefix: with
backups, of which it takes the newest, or one by its name; or with what a server has
shipped (ship_to): all there is, or up to a time or a revision.

All is checked on the way. Until it is done no server takes the folder, and after a
crash the same command begins anew. Then ` + "`wasmoor serve --data DIR`" + ` serves what was
there: answers, versions, blobs, tokens and the audit. The key of the secrets is not
among it, nor are the settings.

A backup becomes a store of its own. What was shipped is the same store: serve it with
the same ship_to once the server before is gone; it takes the place over, and the other
one ends if it comes back.`,
		Example: `  wasmoor restore before-upgrade.tar.zst --data restored
  wasmoor restore s3://backups/shop --identity key.txt --data /var/lib/wasmoor
  wasmoor restore s3://bucket/wasmoor --to 2026-11-29T08:00:00Z --data new`,
		Args: cli.Takes("SRC"),
	}, func(cmd *cobra.Command, args []string) error {
		cfg := host.DefaultConfig()
		cfg.DataDir = data
		if data == "" {
			return cli.Usage("--data is missing: name a folder that is empty, or not there yet")
		}
		if from, ok, err := isShipped(cmd.Context(), args[0]); err != nil || ok {
			if err != nil {
				return err
			}
			return shipped(cmd.Context(), from, data, to, identity)
		}
		if cmd.Flags().Changed("to") {
			return cli.Usage("--to: nothing was shipped to %s; a backup is of one time", args[0])
		}
		src, err := p.open(cmd.Context(), args[0], identity)
		if err != nil {
			return err
		}
		defer src.close()
		done, err := host.RestoreBackup(cmd.Context(), cfg, &counting{Reader: src.r, show: p.Progress()}, src.name, src.keys...)
		if err != nil {
			return err
		}
		return p.restored(done, src.name, data)
	}))
	cmd.Flags().StringVar(&data, "data", "", "folder to fill: empty, or not there yet")
	cmd.Flags().StringVar(&to, "to", "latest", "of what was shipped: up to a time (2026-11-29T08:00:00Z), a revision, or latest")
	identityFlag(cmd, &identity)
	return cmd
}

// restoredShown is what a restore has brought, as --json shows it.
type restoredShown struct {
	adminapi.Backup

	Plugins  int    `json:"plugins"`
	Missing  int64  `json:"blobs_not_here"` // named, and their bytes are not here
	Settings string `json:"settings,omitempty"`

	Secrets map[string][]string `json:"sealed_secrets,omitempty"` // by plugin
}

func (p *Commands) restored(done host.RestoredBackup, from, data string) error {
	if p.AsJSON {
		return p.JSON(restoredShown{backup.Show("", done.Info), done.Plugins, done.Missing, done.Settings, done.Secrets})
	}
	if err := p.Table("", "RESTORED "+strings.ReplaceAll(from, " ", "_"), [][]string{
		{"made", term.Date(done.Created)},
		{"revision", strconv.FormatUint(done.Revision, 10)},
		{"entries", strconv.FormatInt(done.Entries, 10)},
		{"plugins", strconv.Itoa(done.Plugins)},
		{"modules", strconv.Itoa(done.Modules)},
		{"blobs", blobs(backup.Show("", done.Info))},
	}); err != nil {
		return err
	}
	if done.Missing > 0 {
		p.Complain(fmt.Sprintf("the bytes of %d blobs are not there: plugins name them, and get an error when they read them; if a copy has the bytes, put it at %s before the first start", done.Missing, filepath.Join(data, "blobs")))
	}
	if done.Blobs.Place != "" {
		p.Note("the bytes of blobs are in %s and in no backup: serve with blobs = %q", done.Blobs.Place, done.Blobs.Place)
	}
	if done.Settings != "" {
		p.Note("what the old server was told is in %s; no setting was taken over", done.Settings)
	}
	if len(done.Secrets) > 0 {
		p.Note("these secrets are sealed with a key that is not here; put it at %s before the first start, or set them again:", host.SecretsKeyFile(data))
		for _, name := range slices.Sorted(maps.Keys(done.Secrets)) {
			p.Note("  %s    %s", name, strings.Join(done.Secrets[name], " "))
		}
	}
	p.Note("  next    wasmoor serve --data %s", data)
	return nil
}
