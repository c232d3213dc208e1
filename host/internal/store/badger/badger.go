// Package badger is the embedded store engine, on Badger in managed mode: our
// revisions are its commit timestamps, so that opening a snapshot waits for
// nobody. The committer decides about every commit at once and writes many of
// them with one sync. Only package host may import it; no Badger type crosses its
// API.
package badger

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/database"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/disk"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/epochs"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/folder"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/meter"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/pages"
	"github.com/wasmoor/wasmoor/host/internal/store/certify"
)

// Store implements store.Store.
type Store struct {
	*meter.Writes
	db        *badger.DB
	dir       string
	log       *slog.Logger
	clock     func() time.Time
	epochs    *epochs.Epochs
	committer *committer
	pages     *pages.Pages
	// requests are used again: a commit allocates little but its entries.
	requests sync.Pool
	guard    *disk.Guard
	janitor
	kept      *epochs.Hold // for the first Tap, nil = nothing
	scrub     *scrub
	halt      *halt
	buffers   database.Buffers
	mapped    database.Mapped // the committer's
	watermark *folder.Watermark
	watches   store.Watches
	id        []byte

	maxEntries, maxBytes int64 // of a Badger batch
	persist              func(revision store.Revision, write func() error) error

	failed    atomic.Pointer[fault.Error]
	life      sync.RWMutex  // read-held while Badger is read outside a snapshot
	closed    bool          // guarded by life
	committed chan struct{} // closed when the committer has stopped

	mu      sync.Mutex // guards usage
	usage   map[store.Space]store.Usage
	dropped atomic.Pointer[map[store.Space]store.Revision] // replaced, never changed
}

var _ store.Store = (*Store)(nil)

// Snapshot implements store.Store. It never waits for a commit.
func (s *Store) Snapshot() (store.Snapshot, error) {
	if !s.enter() {
		return nil, fault.New(fault.Unavailable, "snapshot", "the store is closed")
	}
	defer s.leave()
	ep := s.epochs.Enter()
	return &snapshot{store: s, epoch: ep, revision: ep.Revision, txn: s.db.NewTransactionAt(uint64(ep.Revision), false)}, nil
}

// ID returns the id of the store, which a copy of it has too.
func (s *Store) ID() string { return hex.EncodeToString(s.id) }

// Watch implements store.Store.
func (s *Store) Watch(space store.Space, prefix []byte) *store.Watch {
	return s.watches.Add(space, prefix)
}

// Published implements store.Store.
func (s *Store) Published() store.Revision { return s.epochs.Newest() }

// Follow implements store.Store.
func (s *Store) Follow() *store.Follow { return s.watches.Follow() }

// Usage implements store.Store. An unused space holds nothing; a dropped one
// is NotFound. Expired values count until they are layout.Swept.
func (s *Store) Usage(space store.Space) (store.Usage, error) {
	if _, gone := (*s.dropped.Load())[space.Owner()]; gone {
		return store.Usage{}, fault.New(fault.NotFound, "usage", "the key space has been deleted")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.usage[space], nil
}

func (s *Store) noteUsage(usage map[store.Space]store.Usage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.Copy(s.usage, usage)
}

// Drop implements store.Store.
func (s *Store) Drop(ctx context.Context, space store.Space) error {
	if space == 0 || space != space.Owner() {
		return fault.New(fault.Invalid, "drop", "space 0 is the host's own, and an area goes with its space")
	}
	if ctx.Err() != nil {
		return fault.Wrap(fault.Deadline, "drop", "out of time before the key space was dropped; nothing was done", ctx.Err())
	}
	r := s.newRequest(certify.Drop, space)
	defer s.freeRequest(r)
	r.shrinks = true
	r.entries++ // the usage of its queues
	r.bytes += bytesPerSpace
	if err := s.submit(r); err != nil {
		return err
	}
	s.janitor.sweepSpace(space)
	return nil
}

// hide makes spaces look empty to snapshots from revision on.
func (s *Store) hide(spaces []store.Space, revision store.Revision) {
	if len(spaces) == 0 {
		return
	}
	dropped := maps.Clone(*s.dropped.Load())
	for _, space := range spaces {
		dropped[space] = revision
	}
	s.dropped.Store(&dropped)
}

// droppedBy reports whether space was dropped at or before revision.
func (s *Store) droppedBy(space store.Space, revision store.Revision) bool {
	at, ok := (*s.dropped.Load())[space.Owner()]
	return ok && at <= revision
}

// enter keeps the store open until leave; false when it is closed.
func (s *Store) enter() bool {
	s.life.RLock()
	if s.closed {
		s.life.RUnlock()
		return false
	}
	return true
}

func (s *Store) leave() { s.life.RUnlock() }

// Health implements store.Store.
func (s *Store) Health() error {
	if !s.enter() {
		return errClosed
	}
	defer s.leave()
	if err := s.failure(); err != nil {
		return err
	}
	return s.guard.Health()
}

// Readable returns nil while everything can be read, also where nothing can be
// written: Unavailable says that the store is damaged or closed, or its folder gone.
func (s *Store) Readable() error {
	if !s.enter() {
		return errClosed
	}
	defer s.leave()
	if s.halt.known.Load() || s.failed.Load() == errLost {
		return s.failure()
	}
	return nil
}

// Size returns how many bytes Badger has on disk, as of the last minute: of keys with
// short values, and of long values and what is not compacted yet.
func (s *Store) Size() (lsm, values int64) { return s.db.Size() }

// failure returns why nothing is accepted any more, nil while all is well.
func (s *Store) failure() error {
	if err := s.failed.Load(); err != nil {
		return err
	}
	return nil
}

func (s *Store) setFailure(cause error) {
	s.log.Error("writing to the data directory failed; the store is read-only until it is opened again", "error", cause)
	s.failed.CompareAndSwap(nil, fault.Wrap(fault.Unavailable, "commit", "the store is read-only since a write to disk failed; restart the program when the disk is well; nothing was done", cause))
}

// Close implements store.Store: new commits are Unavailable, those already
// handed over are decided, then the files are closed. Closing twice is fine.
func (s *Store) Close() error {
	s.life.Lock()
	again := s.closed
	s.closed = true
	s.life.Unlock()
	if again {
		return nil
	}
	s.scrub.stop()
	s.janitor.stop()
	s.committer.close()
	<-s.committed
	s.guard.Close()
	open := s.epochs.Readers()
	if err := errors.Join(s.watermark.Close(), s.closeBadger()); err != nil {
		return fault.Wrap(fault.Internal, "close store", "cannot close the data directory", err)
	}
	if open > 0 {
		return fault.New(fault.Internal, "close store", fmt.Sprintf("%d snapshots were not released", open))
	}
	return nil
}

// patience is for how many seconds a store that takes no writes is being closed.
const patience = 10

// closeBadger leaves the database open, for the process to end with it, where a
// compaction is held or the folder is gone, in which Badger would write for ever.
// All that was acknowledged is on disk, or was.
func (s *Store) closeBadger() error {
	closed := make(chan error, 1)
	go func() { closed <- s.db.Close() }()
	hung := time.NewTicker(time.Second)
	defer hung.Stop()
	for seconds := 1; ; seconds++ {
		select {
		case err := <-closed:
			return err
		case <-hung.C:
			if s.halt.held.Load() || s.failed.Load() == errLost || s.failed.Load() != nil && seconds >= patience {
				return nil
			}
		}
	}
}
