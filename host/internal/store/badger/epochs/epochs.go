// Package epochs tracks which revisions are being read, and which are held for
// whoever has to read them later. Versions of a value that nobody can see are
// discarded by Badger's compaction. Only package store/badger imports it.
package epochs

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Epochs are the revisions that are read. Safe for concurrent use.
type Epochs struct {
	published atomic.Uint64 // changes under mu
	mu        sync.Mutex
	open      int
	queue     []*Epoch // by revision, the oldest first
	holds     []*Hold
	maxAge    time.Duration
	now       func() time.Time
}

// Epoch is a revision with its readers.
type Epoch struct {
	Revision store.Revision

	since time.Time
	refs  int
	stale atomic.Bool
}

// Stale reports whether the epoch is over the bound of age: its versions may be
// gone.
func (ep *Epoch) Stale() bool { return ep.stale.Load() }

// Hold keeps what changed after a revision, without a bound of age.
type Hold struct {
	of       *Epochs
	revision store.Revision
}

// New returns the epochs of a store whose newest revision is published. Readers
// go stale after maxAge.
func New(published store.Revision, maxAge time.Duration, now func() time.Time) *Epochs {
	e := &Epochs{maxAge: maxAge, now: now}
	e.published.Store(uint64(published))
	return e
}

// Enter returns an epoch of the newest published revision. Leave it. One that is
// old already is not shared: its age counts for all its readers, and a new snapshot
// has a right to maxAge of its own, or nearly.
func (e *Epochs) Enter() *Epoch {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.open++
	now := e.now()
	if n := len(e.queue); n > 0 && e.queue[n-1].Revision == e.Newest() && now.Sub(e.queue[n-1].since) < e.maxAge/2 {
		e.queue[n-1].refs++
		return e.queue[n-1]
	}
	ep := &Epoch{Revision: e.Newest(), since: now, refs: 1}
	e.queue = append(e.queue, ep)
	return ep
}

// Leave ends a read.
func (e *Epochs) Leave(ep *Epoch) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.open--
	ep.refs--
	e.trim()
}

func (e *Epochs) trim() {
	n := 0
	for n < len(e.queue) && e.queue[n].refs == 0 {
		e.queue[n] = nil
		n++
	}
	e.queue = e.queue[n:]
}

// Publish makes rev the newest revision to read and returns the one below
// which nobody reads. Snapshots over the age bound go stale here, not by a
// timer: without commits there is nothing to discard.
func (e *Epochs) Publish(rev store.Revision) (oldest store.Revision) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.published.Store(uint64(rev))
	e.trim()
	for len(e.queue) > 0 && e.now().Sub(e.queue[0].since) > e.maxAge {
		e.queue[0].stale.Store(true)
		e.queue = e.queue[1:]
	}
	if len(e.queue) > 0 {
		rev = e.queue[0].Revision
	}
	for _, h := range e.holds {
		rev = min(rev, h.revision)
	}
	return rev
}

// Newest returns the newest published revision, at the cost of one load.
func (e *Epochs) Newest() store.Revision { return store.Revision(e.published.Load()) }

// Readers returns how many reads are under way.
func (e *Epochs) Readers() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.open
}

// Hold keeps what changes after revision; 0 is the newest published one. The caller
// knows that nothing of it has been discarded yet.
func (e *Epochs) Hold(revision store.Revision) *Hold {
	e.mu.Lock()
	defer e.mu.Unlock()
	if revision == 0 {
		revision = e.Newest()
	}
	h := &Hold{e, revision}
	e.holds = append(e.holds, h)
	return h
}

// Revision returns that after which all is kept.
func (h *Hold) Revision() store.Revision {
	h.of.mu.Lock()
	defer h.of.mu.Unlock()
	return h.revision
}

// Move lets go of what changed up to revision, which is not below the one before.
func (h *Hold) Move(revision store.Revision) {
	h.of.mu.Lock()
	defer h.of.mu.Unlock()
	h.revision = max(h.revision, revision)
}

// Released reports whether Release was called.
func (h *Hold) Released() bool {
	h.of.mu.Lock()
	defer h.of.mu.Unlock()
	return !slices.Contains(h.of.holds, h)
}

// Release lets go. Releasing twice is fine.
func (h *Hold) Release() {
	h.of.mu.Lock()
	defer h.of.mu.Unlock()
	h.of.holds = slices.DeleteFunc(h.of.holds, func(o *Hold) bool { return o == h })
}
