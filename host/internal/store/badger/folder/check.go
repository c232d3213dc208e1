// Package folder looks at a store's folder before Badger opens it: what it has
// lost is refused, what a crash left is tidied up. It also keeps the files that
// are not Badger's, the marker and the watermark. Only package store/badger
// imports it.
package folder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/inspect"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/layout"
)

// Config says which folder, and what belongs to it.
type Config struct {
	Dir    string
	Marker string // a file outside Dir that remembers the store; "" = none
	Clock  func() time.Time
	Logger *slog.Logger
}

// Check looks at the store's files before Badger does, and refuses a
// folder that has lost something. What a crash left is tidied up. A process that
// has the store open keeps the lock meanwhile, and its files are left alone.
func Check(cfg Config) error {
	return ifUnlocked(cfg.Dir, func() error {
		if err := checkMarked(cfg); err != nil {
			return err
		}
		found, err := Look(context.Background(), cfg.Dir)
		if err != nil {
			return fault.Wrap(fault.Unavailable, "open store", fmt.Sprintf("cannot read the store in %q", cfg.Dir), err)
		}
		if len(found.Damage) > 0 {
			return refusal(cfg.Dir, found.Damage)
		}
		if err := readNewest(cfg.Dir, found.Tables); err != nil {
			return err
		}
		if err := tidy(cfg, found); err != nil {
			return fault.Wrap(fault.Unavailable, "open store", fmt.Sprintf("cannot tidy %q after a crash", cfg.Dir), err)
		}
		return nil
	})
}

// Look reads everything but the blocks of tables.
func Look(ctx context.Context, dir string) (*inspect.Folder, error) {
	known, err := readWatermark(dir)
	found, lookErr := inspect.Look(ctx, inspect.Config{Dir: dir, Before: layout.PreviousRevision, Known: known})
	if lookErr == nil && err != nil {
		found.Damage = append(found.Damage, &inspect.Damage{File: WatermarkName, What: err.Error()})
	}
	return found, lookErr
}

// refusal says what is damaged, and what to do.
func refusal(dir string, all []*inspect.Damage) error {
	more := ""
	if n := len(all) - 1; n > 0 {
		more = fmt.Sprintf(" (and %d more)", n)
	}
	return fault.New(fault.Invalid, "open store", fmt.Sprintf(
		"the store in %q is damaged: %s%s; nothing was changed: restore a backup of the data directory. `wasmoor verify` lists all that is wrong",
		dir, all[0].Error(), more))
}

// startReads is how many bytes of tables a start verifies to the last one, which
// takes some seconds on a slow disk. The scrub reads them all.
const startReads = 512 << 20

// readNewest verifies tables, the newest first, up to startReads bytes.
func readNewest(dir string, tables []inspect.Table) error {
	left := int64(startReads)
	for i := len(tables) - 1; i >= 0 && left > tables[i].Bytes; i-- {
		left -= tables[i].Bytes
		err := tables[i].Read(context.Background(), dir, nil, nil)
		if err != nil {
			return refusal(dir, []*inspect.Damage{inspect.AsDamage(tables[i].Name, err)})
		}
	}
	return nil
}

const (
	// asideName is the folder in the store's for what crashes left.
	asideName = "set-aside"
	// asideFor is how long it stays there.
	asideFor = 7 * 24 * time.Hour
)

// tidy sets aside what a crash left, which Badger would delete or refuse.
func tidy(cfg Config, found *inspect.Folder) error {
	if err := removeHalfMadeLogs(cfg.Dir); err != nil {
		return err
	}
	aside := filepath.Join(cfg.Dir, asideName)
	if err := removeOld(aside, cfg.Clock().Add(-asideFor)); err != nil {
		return err
	}
	if len(found.Debris) == 0 && !found.Torn {
		return nil
	}
	if err := os.MkdirAll(aside, 0o700); err != nil {
		return err
	}
	stamp := cfg.Clock().UTC().Format("20060102T150405.000000000-")
	for _, name := range found.Debris {
		if err := os.Rename(filepath.Join(cfg.Dir, name), filepath.Join(aside, stamp+name)); err != nil {
			return err
		}
		cfg.Logger.Debug("set aside what a crash left", "file", name, "in", aside)
	}
	if found.Torn {
		return cutManifest(cfg.Dir, filepath.Join(aside, stamp+badger.ManifestFilename), found.Manifest)
	}
	return nil
}

// cutManifest keeps a copy of a MANIFEST and takes its torn record off.
func cutManifest(dir, copyTo string, size int64) error {
	path := filepath.Join(dir, badger.ManifestFilename)
	b, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(copyTo, b, 0o600) //nolint:gosec // within the store's folder
	}
	if err == nil {
		err = os.Truncate(path, size)
	}
	return err
}

func removeOld(dir string, before time.Time) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		stamp, _, _ := strings.Cut(e.Name(), "-")
		if at, bad := time.Parse("20060102T150405.000000000", stamp); bad == nil && at.Before(before) {
			err = errors.Join(err, os.Remove(filepath.Join(dir, e.Name())))
		}
	}
	return err
}
