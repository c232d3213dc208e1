// Package ring keeps the last lines of each plugin's log in files of a bounded size,
// so that they can be read and followed, after a restart too. Whoever logs never
// waits for it. Packages logs, operate and host import it.
package ring

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/durable"
)

// Size is how many bytes the lines of one plugin take on disk.
const Size = 1 << 20

// Folder has the rings of all plugins. Close it. Safe for concurrent use.
type Folder struct {
	cfg   Config
	run   uint64 // of this process
	holds atomic.Int64

	mu        sync.Mutex
	rings     map[string]*Ring
	dirty     []*Ring
	followers int

	lines sync.Pool // of *Line, for the time of a call

	told atomic.Int64 // when a failure was logged the last time, in nanoseconds since 1970

	wake, urgent chan struct{} // each holds one token
	ended, done  chan struct{}
}

// Config says where the rings are.
type Config struct {
	Dir string // is made where it is not there
	// Full reports whether the disk has no room for lines. They wait in memory then.
	// nil = never.
	Full func() bool
	// Log takes failures to keep lines.
	Log *slog.Logger
}

const (
	// maxWaitingInAll is how many bytes of lines of all rings wait to be written.
	maxWaitingInAll = 16 << 20
	// linger is how long the writer waits for more after a line.
	linger = 100 * time.Millisecond
	// lookAgain is the time between two looks at a full disk.
	lookAgain = time.Second
	// tellFailed is the time between two records of failures to write.
	tellFailed = 10 * time.Second
)

// Open opens the rings of a folder. It reads none of them. What goes wrong is logged:
// nobody needs a ring as much as the plugins.
func Open(cfg Config) *Folder {
	if cfg.Full == nil {
		cfg.Full = func() bool { return false }
	}
	f := &Folder{
		cfg: cfg, rings: map[string]*Ring{},
		lines: sync.Pool{New: func() any { return new(Line) }},
		wake:  make(chan struct{}, 1), urgent: make(chan struct{}, 1), ended: make(chan struct{}), done: make(chan struct{}),
	}
	var err error
	if f.run, err = nextRun(cfg.Dir); err != nil {
		f.failed("", err)
	}
	go f.write()
	return f
}

// runFile has the number of the last process. No plugin has such a name.
const runFile = "RUN"

// nextRun returns a number that is greater than that of each process before, whatever
// the clock says, and than those of a folder that a backup has replaced. The error
// says why the next process may not know of it.
func nextRun(dir string) (uint64, error) {
	var before uint64
	path := filepath.Join(dir, runFile)
	if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() && info.Size() < 32 {
		text, _ := os.ReadFile(path)
		before, _ = strconv.ParseUint(strings.TrimSpace(string(text)), 10, 48)
	}
	run := max(before+1, uint64(max(time.Now().Unix(), 0)))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return run, err
	}
	return run, durable.Replace(path, strconv.AppendUint(nil, run, 10))
}

// Ring returns the ring of a plugin, and keeps what is logged of the plugin from then
// on.
func (f *Folder) Ring(plugin string) *Ring {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.rings[plugin]
	if r == nil {
		r = &Ring{folder: f, name: plugin, segments: segments{dir: filepath.Join(f.cfg.Dir, plugin), half: Size / 2, size: -1}}
		f.rings[plugin] = r
	}
	return r
}

// of returns the ring of a plugin, nil unless Ring has been asked for it.
func (f *Folder) of(plugin string) *Ring {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rings[plugin]
}

// Remove removes the lines of a plugin, and keeps no others until Ring is called
// again. Whoever follows them sees their end.
func (f *Folder) Remove(plugin string) error {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	r := f.rings[plugin]
	delete(f.rings, plugin)
	f.mu.Unlock()
	if r != nil {
		r.close()
		r.files.Lock() // nothing is written after that
		defer r.files.Unlock()
	}
	return os.RemoveAll(filepath.Join(f.cfg.Dir, plugin))
}

// Retain keeps what is logged of the plugins, and removes the lines of all others:
// those of plugins that were purged when the process before ended.
func (f *Folder) Retain(plugins []string) error {
	if len(plugins) == 0 {
		return nil // the registry may be lost, or another's
	}
	entries, err := os.ReadDir(f.cfg.Dir)
	for _, e := range entries {
		if e.IsDir() && !slices.Contains(plugins, e.Name()) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(f.cfg.Dir, e.Name())))
		}
	}
	for _, name := range plugins {
		f.Ring(name)
	}
	return err
}

// Close writes what waits, at most until ctx ends, and ends whoever follows a ring.
// Lines that come later are lost.
func (f *Folder) Close(ctx context.Context) error {
	if f == nil {
		return nil
	}
	close(f.ended)
	select {
	case <-f.done:
	case <-ctx.Done():
		return fmt.Errorf("log lines of plugins could not be written in time: %w", ctx.Err())
	}
	f.mu.Lock()
	rings := slices.Collect(maps.Values(f.rings))
	f.mu.Unlock()
	for _, r := range rings { // whoever has a ring's lock may wait for the folder's
		r.close()
	}
	return nil
}

// stirred notes that a ring has something to write.
func (f *Folder) stirred(r *Ring) {
	f.mu.Lock()
	f.dirty = append(f.dirty, r)
	f.mu.Unlock()
	signal(f.wake)
}

// hurry has it written at once.
func (f *Folder) hurry() { signal(f.urgent) }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// write writes lines until Close.
func (f *Folder) write() {
	defer close(f.done)
	for last := false; !last; {
		select {
		case <-f.wake:
			last = f.linger()
		case <-f.ended:
			last = true
		}
		if !last && f.cfg.Full() {
			last = f.sleep(lookAgain)
		}
		f.flush(f.cfg.Full(), last)
	}
}

// linger waits for more lines. It reports whether there will be none.
func (f *Folder) linger() (ended bool) {
	select {
	case <-f.urgent:
	case <-time.After(linger):
	case <-f.ended:
		return true
	}
	return false
}

func (f *Folder) sleep(d time.Duration) (ended bool) {
	select {
	case <-time.After(d):
		return false
	case <-f.ended:
		return true
	}
}

func (f *Folder) flush(full, last bool) {
	f.mu.Lock()
	list := f.dirty
	f.dirty = nil
	f.mu.Unlock()
	now := time.Now()
	for _, r := range list {
		r.flush(now, full, last)
	}
}

// failed logs that lines of a plugin could not be written, now and then.
func (f *Folder) failed(plugin string, err error) {
	now := time.Now().UnixNano()
	told := f.told.Load()
	if now-told < int64(tellFailed) || !f.told.CompareAndSwap(told, now) {
		return
	}
	f.cfg.Log.LogAttrs(context.Background(), slog.LevelWarn, "log lines of plugins cannot be kept",
		slog.String("folder", filepath.Join(f.cfg.Dir, plugin)), slog.Any("error", err))
}
