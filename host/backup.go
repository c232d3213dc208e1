package host

import (
	"context"
	"io"
	"time"

	"filippo.io/age"

	"github.com/wasmoor/wasmoor/host/internal/archive"
	"github.com/wasmoor/wasmoor/host/internal/backup"
	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/registry"
	"github.com/wasmoor/wasmoor/host/internal/vault"
)

// BackupFormats are the formats of this program's backups, and the newest it reads.
func BackupFormats() archive.Header { return vault.Header(ownFormats()) }

// vault says where the parts of the data folder are.
func (c Config) vault() vault.Folder {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	c.Log = logOf(c)
	return vault.Folder{
		Dir: c.DataDir, Store: storeConfig(c), Modules: modulesDir(c), Blobs: c.Blobs, Formats: ownFormats(), Told: c.Told,
		Capabilities: capabilities.All(capabilities.Config{Places: processors()}), Clock: c.Clock, Log: c.Log,
	}
}

// openBackups makes what backs up the host, and starts its schedule if there is one.
func (h *Host) openBackups(reg *registry.Registry) (err error) {
	if h.backups.Source, err = h.cfg.vault().Source(h.store, reg, h.blobs.Blobs()); err != nil {
		return err
	}
	h.backups.Source.Serves, h.backups.Audit, h.backups.Log = true, reg.Note, h.cfg.Log
	return h.backUp(&h.cfg)
}

// backupPlan reads the keys of the configuration. It reaches nothing.
func (c Config) backupPlan() (backup.Plan, error) {
	p, key, err := backup.ReadPlan(c.BackupTo, c.BackupEvery, backup.Retention{Newest: c.BackupKeep, For: c.BackupKeepFor}, c.BackupRecipients)
	if err != nil {
		return p, badConfig(key, fault.MessageOf(err))
	}
	return p, nil
}

// BackupFolder writes a backup of cfg.DataDir, which no host uses meanwhile, to w. See
// vault.Folder.
func BackupFolder(ctx context.Context, cfg Config, w io.Writer) error {
	if err := CheckFolder(cfg.DataDir); err != nil {
		return err
	}
	return cfg.vault().Backup(ctx, w)
}

// RestoredBackup says what a backup has brought.
type RestoredBackup = vault.Restored

// RestoreBackup brings a backup into cfg.DataDir. See vault.Folder.
func RestoreBackup(ctx context.Context, cfg Config, r io.Reader, from string, identities ...age.Identity) (RestoredBackup, error) {
	return cfg.vault().Restore(ctx, r, from, identities...)
}
