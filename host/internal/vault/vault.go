// Package vault makes a backup of a data folder, and a data folder of a backup. It
// knows which parts a folder has. Package host, which says where they are, imports it.
package vault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"filippo.io/age"

	"github.com/wasmoor/wasmoor/host/internal/archive"
	"github.com/wasmoor/wasmoor/host/internal/backup"
	"github.com/wasmoor/wasmoor/host/internal/blob"
	"github.com/wasmoor/wasmoor/host/internal/blob/keeper"
	"github.com/wasmoor/wasmoor/host/internal/blob/names"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/formats"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/registry"
	"github.com/wasmoor/wasmoor/host/internal/restoring"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/follower"
	"github.com/wasmoor/wasmoor/host/internal/store/stream"
)

// Folder says where the parts of a data folder are. Every field counts.
type Folder struct {
	Dir          string
	Store        badger.Config
	Modules      string
	Blobs        string      // where the bytes of blobs are; "" = in Dir
	Formats      formats.Set // that this program writes
	Told         []byte      // what the program was told, for a person
	Capabilities capability.List
	Clock        func() time.Time
	Log          *slog.Logger
}

// Header is that of backups in these formats, without an id and a time.
func Header(f formats.Set) archive.Header {
	return archive.Header{Program: f.Program, Layout: f.Store, Records: f.Registry, ABI: f.ABI}
}

// Source is what is backed up of the open folder.
func (f Folder) Source(st *badger.Store, reg *registry.Registry, blobs *blob.Store) (*backup.Source, error) {
	h := Header(f.Formats)
	id, err := os.ReadFile(f.Store.Marker)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, "back up", "cannot read the id of the store", err)
	}
	h.Store = strings.TrimSpace(string(id))
	src := &backup.Source{Store: st, Modules: reg, Blobs: blobs, Header: h, Settings: f.Told, Clock: f.Clock}
	if blobs.Remote() {
		src.BlobsIn = blobs.String()
	}
	return src, nil
}

// Backup writes a backup of the folder, which nobody uses meanwhile, to w. Errors by
// fault code: NotFound (there is no data), Unavailable (it is in use), and those of
// opening it.
func (f Folder) Backup(ctx context.Context, w io.Writer) (err error) {
	if _, err := os.Stat(f.Store.Marker); err != nil {
		return fault.Wrap(fault.NotFound, "", fmt.Sprintf("no wasmoor has stored anything in %s; name the folder with --data", f.Dir), err)
	}
	st, reg, err := f.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	blobs, err := f.blobs()
	if err != nil {
		return err
	}
	src, err := f.Source(st, reg, blobs)
	if err != nil {
		return err
	}
	_, err = src.Take(ctx, w)
	return err
}

// blobs opens the store of the blobs.
func (f Folder) blobs() (*blob.Store, error) { return keeper.Open(f.Dir, f.Blobs, nil, 0, f.Log) }

// open opens the store and the registry.
func (f Folder) open(ctx context.Context) (*badger.Store, *registry.Registry, error) {
	st, err := badger.Open(f.Store)
	if err != nil {
		return nil, nil, err
	}
	reg, err := registry.Open(ctx, st, f.Modules, f.Clock, f.Capabilities)
	if err != nil {
		return nil, nil, errors.Join(err, st.Close())
	}
	return st, reg, nil
}

// Restored says what a backup has brought.
type Restored struct {
	archive.Info

	Plugins int
	// Missing is how many blobs are named whose bytes are not there; 0 where the backup says
	// that another place has them.
	Missing  int64
	Settings string // file of what the old server was told; "" = none
	// Secrets are by plugin those that the key of the old server opens, which no backup
	// has.
	Secrets map[string][]string
}

// Restore brings the backup that r gives into the folder, which is empty, or holds
// half a restore: then it begins anew. From says for a person what r is. Until it is
// done no host opens the folder. The store is another one from then on: it has an id
// of its own, and revisions that the old one never had. Errors by fault code:
// Conflict (there is something in the folder), Invalid and Denied (the backup; see
// VerifyBackup), Unavailable, Exhausted.
func (f Folder) Restore(ctx context.Context, r io.Reader, from string, identities ...age.Identity) (done Restored, err error) {
	folder, err := restoring.Begin(f.Dir, from, f.Clock())
	if err != nil {
		return done, err
	}
	defer folder.Close()
	blobs, err := f.blobs()
	if err != nil {
		return done, err
	}
	settings := filepath.Join(f.Dir, "restored-settings.toml")
	info, err := backup.Land(ctx, r, backup.Folder{
		Known: Header(f.Formats), Modules: f.Modules, Settings: settings, Blobs: blobs,
		Store: f.land,
	}, identities...)
	if err != nil {
		return done, err
	}
	done.Info = info
	if _, err := os.Stat(settings); err == nil {
		done.Settings = settings
	}
	if err := f.check(ctx, blobs, &done); err != nil {
		return done, err
	}
	return done, folder.Done()
}

// land makes the store of a group.
func (f Folder) land(ctx context.Context, g stream.Group) (err error) {
	to, err := follower.Open(f.Store.Dir, f.Log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	if err := to.Apply(ctx, g); err != nil {
		return err
	}
	if err := to.Found(); err != nil {
		return err
	}
	return to.Sync()
}

// check opens what was restored as a host does, and notes which plugins and secrets it
// has.
func (f Folder) check(ctx context.Context, blobs *blob.Store, done *Restored) (err error) {
	st, reg, err := f.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	named, err := reg.Digests()
	if err != nil {
		return err
	}
	for d := range named {
		if _, err := reg.Module(d); err != nil {
			return fault.Wrap(fault.Invalid, "restore", fmt.Sprintf("the backup names module %s and does not have it", d), err)
		}
	}
	all, err := reg.Plugins(ctx)
	if err != nil {
		return err
	}
	if done.Blobs.Place == "" {
		if done.Missing, err = missing(ctx, st, all, blobs); err != nil {
			return err
		}
	}
	for _, p := range all {
		if p.Deleted {
			continue
		}
		done.Plugins++
		if lost := p.Lost(slices.Collect(maps.Keys(p.Secrets))); len(lost) > 0 {
			if done.Secrets == nil {
				done.Secrets = map[string][]string{}
			}
			done.Secrets[p.Name] = lost
		}
	}
	return f.Formats.Write(f.Dir)
}

// missing counts the blobs that plugins name and that are not there.
func missing(ctx context.Context, st *badger.Store, all []plugin.Plugin, blobs *blob.Store) (n int64, err error) {
	snap, err := st.Snapshot()
	if err != nil {
		return 0, err
	}
	defer snap.Release()
	seen := map[blob.Digest]bool{}
	for _, p := range all {
		var wrong error
		err := names.Digests(snap, store.Space(p.Keys()), func(d blob.Digest) bool {
			if seen[d] {
				return true
			}
			seen[d] = true
			var there bool
			if there, wrong = blobs.Has(ctx, d); wrong == nil && !there {
				n++
			}
			return wrong == nil
		})
		if err = errors.Join(wrong, err); err != nil {
			return n, err
		}
	}
	return n, nil
}
