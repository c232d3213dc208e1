// Package backup makes backups of a store that serves and keeps them in a bucket, by
// a schedule, and brings one back into an empty folder. Package archive is their form.
package backup

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"filippo.io/age"

	"github.com/wasmoor/wasmoor/host/internal/archive"
	"github.com/wasmoor/wasmoor/host/internal/blob"
	"github.com/wasmoor/wasmoor/host/internal/blob/cargo"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/stream"
)

// Store is what is backed up.
type Store interface {
	Snapshot() (store.Snapshot, error)
	Changes(since, until store.Revision) stream.Group
}

// Modules are the modules of a store's records.
type Modules interface {
	DigestsAt(store.Snapshot) (map[plugin.Digest]bool, error)
	Module(plugin.Digest) ([]byte, error)
}

// Source is a server's data. Every field counts.
type Source struct {
	Store    Store
	Modules  Modules
	Header   archive.Header // without the time
	Blobs    *blob.Store    // has the bytes of what the store names
	BlobsIn  string         // place that keeps them, and no backup has them; "" = backups have them
	Settings []byte         // what the server was told, for a person; may be empty
	Clock    func() time.Time
	Serves   bool // others work on the store, and go first
}

// rounds is how often modules that were deployed meanwhile are added before a backup
// gives up.
const rounds = 20

// Take writes a backup to w, for recipients if there are any: all records at one
// revision, and the modules and blobs they name. No sweep takes a blob meanwhile. Nobody
// waits for it: it reads a snapshot, and no more at a time than its readers take. Errors by
// fault code: Deadline (ctx), Unavailable, those of the store and of w.
func (s *Source) Take(ctx context.Context, w io.Writer, recipients ...age.Recipient) (archive.Info, error) {
	h := s.Header
	h.Created = s.Clock().UTC()
	a, err := archive.NewWriter(w, h, recipients...)
	if err != nil {
		return archive.Info{}, err
	}
	defer a.Abandon()
	if len(s.Settings) > 0 {
		if err := a.Settings(s.Settings); err != nil {
			return archive.Info{}, err
		}
	}
	done, err := s.Blobs.Keep(ctx)
	if err != nil {
		return archive.Info{}, err
	}
	defer done()
	snap, err := s.modules(ctx, a)
	if err != nil {
		return archive.Info{}, err
	}
	release := sync.OnceFunc(snap.Release)
	defer release()
	revision := snap.Revision()
	var names cargo.Names
	counted := &counting{ctx: ctx, rests: s.Serves, group: s.Store.Changes(0, revision)}
	err = a.Store(func(w io.Writer) error {
		out := stream.NewWriter(w)
		g := counted.group
		g.Entries = counted.entries
		if err := out.Write(names.In(g)); err != nil {
			return err
		}
		return out.Close()
	})
	if err != nil {
		return archive.Info{}, err
	}
	release() // the bytes of blobs are no part of it, and may take long
	if err := s.blobs(ctx, a, names.List()); err != nil {
		return archive.Info{}, err
	}
	return a.Finish(uint64(revision), counted.n)
}

// modules adds modules until a snapshot names none that is missing, and returns that
// one. Nothing is locked: a module that is removed before it is read was one that a
// newer snapshot does not name.
func (s *Source) modules(ctx context.Context, a *archive.Writer) (store.Snapshot, error) {
	added := map[plugin.Digest]bool{}
	var gone error
	for range rounds {
		snap, err := s.Store.Snapshot()
		if err != nil {
			return nil, err
		}
		named, err := s.Modules.DigestsAt(snap)
		missing := missing(named, added)
		if err == nil && len(missing) == 0 {
			return snap, nil
		}
		snap.Release()
		if err != nil {
			return nil, err
		}
		for _, d := range missing {
			if err := ctx.Err(); err != nil {
				return nil, gaveUp(err)
			}
			module, err := s.Modules.Module(d)
			if fault.CodeOf(err) == fault.NotFound {
				gone = err
				continue
			}
			if err == nil {
				err = a.Module(d.Hex(), module)
			}
			if err != nil {
				return nil, err
			}
			added[d] = true
		}
	}
	if gone != nil {
		return nil, fault.Wrap(fault.Internal, "back up", "a module that a version names is not there; `wasmoor verify` lists what is damaged", gone)
	}
	return nil, fault.New(fault.Unavailable, "back up", fmt.Sprintf("modules were deployed faster than they could be saved, %d times in a row; try again", rounds))
}

func missing(named, added map[plugin.Digest]bool) (all []plugin.Digest) {
	for d := range named {
		if !added[d] {
			all = append(all, d)
		}
	}
	slices.Sort(all)
	return all
}

func gaveUp(err error) error {
	return fault.Wrap(fault.Deadline, "back up", "it was given up", err)
}

// counting counts the entries of a group, and leaves the processor to others in
// between.
type counting struct {
	ctx   context.Context
	rests bool
	group stream.Group
	n     int64
}

// A backup works for a slice and rests as long, so that it takes half a processor at
// most.
const slice = 2 * time.Millisecond

func (c *counting) entries(yield func(stream.Entry, error) bool) {
	began := time.Now()
	for e, err := range c.group.Entries {
		if err == nil && c.n%16 == 0 {
			err = c.ctx.Err()
			if worked := time.Since(began); c.rests && worked > slice {
				time.Sleep(min(worked, 10*slice)) // what it waited for others counts, and is bounded
				began = time.Now()
			}
			if err != nil {
				err = gaveUp(err)
			}
		}
		if err == nil {
			c.n++
		}
		if !yield(e, err) || err != nil {
			return
		}
	}
}
