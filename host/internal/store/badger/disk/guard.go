// Package disk keeps the store's disk from filling up. Only package store/badger
// imports it.
package disk

import (
	"cmp"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Guard keeps the disk from filling up. Badger writes through memory maps of
// sparse files, so that a full disk is a SIGBUS which kills the process, and
// kills it again when the store is reopened. The guard refuses commits while
// there is still room, and keeps a reserve file to give up when there is not.
type Guard struct {
	dir     string
	minFree int64
	reserve int64
	free    func(string) (int64, error)
	log     *slog.Logger

	// The committer's: when it asked last, and the bytes it took since.
	asked time.Time
	taken int64
	avail atomic.Int64

	mu sync.Mutex // guards the reserve file
}

const (
	// ReserveName is the file whose space is given back to a start on a full disk.
	ReserveName = "RESERVE"
	// OpenNeeds is what Badger may write while it opens: new logs, and the
	// tables of what it replays.
	OpenNeeds = 32 << 20
	// The committer asks the system again after this time or this many bytes.
	askEvery = 100 * time.Millisecond
	askAfter = 4 << 20
)

// Config says what is kept free.
type Config struct {
	Dir     string
	MinFree int64 // bytes; below 0 no guard
	Reserve int64 // bytes of the reserve file; 0 or below none
	Logger  *slog.Logger
	// Free returns the bytes that are free for dir; nil = Free.
	Free func(dir string) (int64, error)
}

// NewGuard returns a guard that has not looked yet.
func NewGuard(cfg Config) *Guard {
	g := &Guard{dir: cfg.Dir, minFree: cfg.MinFree, reserve: cfg.Reserve, free: cfg.Free, log: cfg.Logger}
	if g.free == nil {
		g.free = Free
	}
	g.avail.Store(math.MaxInt64) // until it is known
	return g
}

func (g *Guard) off() bool { return g.minFree < 0 }

// Open makes sure there is room to open the store, if need be that of the
// reserve.
func (g *Guard) Open() error {
	if g.off() {
		return nil
	}
	if g.ask() < g.minFree {
		g.giveUp()
	}
	if free := g.ask(); free < min(OpenNeeds, g.minFree) {
		return fault.New(fault.Exhausted, "open store", fmt.Sprintf("only %d MiB are free on the disk of %q; free at least %d MiB and start again", free>>20, g.dir, g.minFree>>20))
	}
	g.Restore()
	return nil
}

// Close makes room for what Badger writes when it closes.
func (g *Guard) Close() {
	if !g.off() && g.ask() < g.minFree {
		g.giveUp()
	}
}

// ask measures. If that fails the disk counts as it was.
func (g *Guard) ask() int64 {
	free, err := g.free(g.dir)
	if err != nil {
		g.log.Warn("cannot tell how much of the disk is free", "dir", g.dir, "error", err)
		return g.avail.Load()
	}
	g.avail.Store(free)
	return free
}

// Admit returns an error if the disk is too full to write bytes. Only the
// committer calls it.
func (g *Guard) Admit(shrinks bool, bytes int64) error {
	if g.off() {
		return nil
	}
	g.taken += bytes
	if now := time.Now(); g.taken >= askAfter || now.Sub(g.asked) >= askEvery {
		g.asked, g.taken = now, 0
		g.ask()
	}
	need := g.minFree
	if shrinks {
		need /= 2
	}
	if g.avail.Load() < need {
		return g.full()
	}
	return nil
}

func (g *Guard) full() error {
	return fault.New(fault.Exhausted, "commit", fmt.Sprintf("the disk of %q is nearly full (%d MiB free, %d MiB are kept free): free some space; reading and deleting still work; nothing was done", g.dir, g.avail.Load()>>20, g.minFree>>20))
}

// Health returns an Exhausted fault while the disk has less free than is kept.
func (g *Guard) Health() error {
	if !g.off() && g.ask() < g.minFree {
		return g.full()
	}
	return nil
}

func (g *Guard) path() string { return filepath.Join(g.dir, ReserveName) }

// Relieve gives the reserve up when others have filled the disk: Badger may
// still have to write what it has accepted.
func (g *Guard) Relieve() {
	if !g.off() && g.ask() < g.minFree/4 {
		g.giveUp()
	}
}

// giveUp deletes the reserve file.
func (g *Guard) giveUp() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := os.Remove(g.path()); err == nil {
		g.log.Warn("the disk is nearly full: gave up the reserve file", "file", g.path())
	}
}

// Restore makes the reserve file if it is missing and there is room for it.
func (g *Guard) Restore() {
	if g.off() || g.reserve <= 0 || g.ask() < g.minFree+g.reserve {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if st, err := os.Stat(g.path()); err == nil && st.Size() == g.reserve {
		return
	}
	if err := allocate(g.path(), g.reserve); err != nil {
		g.log.Warn("cannot make the reserve file", "file", g.path(), "error", err)
		_ = os.Remove(g.path()) // half a reserve would pass for one
	}
}

// allocate writes a file of size bytes; a sparse one would reserve nothing.
func allocate(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	zeros := make([]byte, 1<<20)
	for at := int64(0); at < size && err == nil; at += int64(len(zeros)) {
		_, err = f.Write(zeros[:min(size-at, int64(len(zeros)))])
	}
	return cmp.Or(err, f.Close())
}
