package badger

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/inspect"
)

// scrub verifies all tables to the last byte, slowly, again and again: damage to
// what is seldom read is found while there are backups without it.
type scrub struct {
	store  *Store
	every  time.Duration
	cancel context.CancelFunc
	done   chan struct{}
	rush   chan struct{} // closed once damage is known: which file is it?

	mu    sync.Mutex // guards named: the janitor reports too
	named map[string]bool
}

// leastScrub bounds the rate from below, in bytes per second: what a small
// store costs is nothing, and is done soon.
const leastScrub = 256 << 10

// newScrub returns a scrub that does nothing until it is started.
func newScrub(s *Store, every time.Duration) *scrub {
	return &scrub{
		store: s, every: every,
		done: make(chan struct{}), rush: make(chan struct{}), named: make(map[string]bool),
	}
}

// start starts the scrub. Stop it.
func (sc *scrub) start() {
	ctx, cancel := context.WithCancel(context.Background())
	sc.cancel = cancel
	go sc.run(ctx)
}

func (sc *scrub) stop() {
	sc.cancel()
	<-sc.done
}

// hurry has everything read at once. It is called once.
func (sc *scrub) hurry() { close(sc.rush) }

func (sc *scrub) run(ctx context.Context) {
	defer close(sc.done)
	for sc.every > 0 && ctx.Err() == nil && !sc.rushed() {
		begun := time.Now()
		sc.round(ctx)
		if !sc.rushed() {
			pause(ctx, sc.every-time.Since(begun), sc.rush)
		}
	}
	select {
	case <-sc.rush:
		sc.round(ctx)
	case <-ctx.Done():
	}
}

func (sc *scrub) rushed() bool {
	select {
	case <-sc.rush:
		return true
	default:
		return false
	}
}

// pause waits, unless cut short.
func pause(ctx context.Context, d time.Duration, cut <-chan struct{}) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	case <-cut:
	}
}

// round reads each table once.
func (sc *scrub) round(ctx context.Context) {
	tables, err := inspect.Tables(sc.store.guard.dir)
	if err != nil {
		sc.report(badger.ManifestFilename, err)
		return
	}
	var total int64
	for _, t := range tables {
		total += t.Bytes
	}
	rate := max(leastScrub, float64(total)/sc.every.Seconds())
	pace := func(ctx context.Context, size int) error {
		if !sc.rushed() {
			pause(ctx, time.Duration(float64(size)/rate*float64(time.Second)), sc.rush)
		}
		return ctx.Err()
	}
	for _, t := range tables {
		if err := sc.read(ctx, t, pace); err != nil {
			sc.report(t.Name, err)
		}
		if ctx.Err() != nil {
			return
		}
	}
}

// read returns an error if t is damaged, and still listed: a compaction may have
// deleted it meanwhile.
func (sc *scrub) read(ctx context.Context, t inspect.Table, pace inspect.Pace) error {
	err := t.Read(ctx, sc.store.guard.dir, pace, nil)
	if err == nil || ctx.Err() != nil {
		return nil
	}
	tables, listErr := inspect.Tables(sc.store.guard.dir)
	if listErr != nil {
		return listErr
	}
	if !slices.ContainsFunc(tables, func(other inspect.Table) bool { return other.Name == t.Name }) {
		return nil
	}
	return err
}

// report names a damaged file in the log, once. A file that could not be read for
// another reason, such as too many open ones, is read again in the next round.
func (sc *scrub) report(name string, err error) {
	if _, ok := errors.AsType[*inspect.Damage](err); !ok && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.EIO) {
		sc.store.log.Warn("a file of the data directory could not be verified; it is tried again", "file", name, "error", err)
		return
	}
	d := inspect.AsDamage(name, err)
	sc.mu.Lock()
	news := !sc.named[d.File]
	sc.named[d.File] = true
	sc.mu.Unlock()
	if news {
		sc.store.log.Error("a file of the data directory is damaged", "file", filepath.Join(sc.store.guard.dir, d.File), "damage", d.What)
	}
	sc.store.found(d)
}

// folder is what is watched of the store's: whether it is there, and whether
// anybody else writes to its tables.
type folder struct {
	dir    string
	self   os.FileInfo
	tables map[string]os.FileInfo
}

func watchFolder(dir string) *folder {
	self, _ := os.Stat(dir) // a nil is no folder's, and reported
	f := &folder{dir: dir, self: self}
	f.changed() // as the start has verified them
	return f
}

// watch notices within a second that the folder is gone, or that another
// program wrote to a table: from then on nothing is acknowledged.
func (j *janitor) watch() {
	s, f := j.store, j.folder
	if err := s.watermark.sync(); err != nil {
		s.setFailure(err)
	}
	if s.failure() != nil {
		return
	}
	if !f.present() {
		s.lost(f.dir)
		return
	}
	changed := f.changed()
	if len(changed) == 0 {
		return
	}
	tables, _ := inspect.Tables(f.dir) // the scrub reports the error
	for _, t := range tables {
		if !slices.Contains(changed, t.Name) {
			continue
		}
		if err := s.scrub.read(context.Background(), t, nil); err != nil {
			s.scrub.report(t.Name, err)
		}
	}
}

// present reports whether the path still leads to the folder of before, with a
// store in it.
func (f *folder) present() bool {
	self, err := os.Stat(f.dir)
	if err != nil || !os.SameFile(self, f.self) {
		return false
	}
	_, err = os.Stat(filepath.Join(f.dir, badger.ManifestFilename))
	return err == nil
}

// changed returns the tables that are not as they were when first seen. Badger
// never writes to one that is listed.
func (f *folder) changed() (names []string) {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return nil
	}
	seen := make(map[string]os.FileInfo, len(f.tables))
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".sst") {
			continue
		}
		now, err := e.Info()
		if err != nil {
			continue // deleted meanwhile
		}
		seen[e.Name()] = now
		if before, ok := f.tables[e.Name()]; ok && (before.Size() != now.Size() || !before.ModTime().Equal(now.ModTime())) {
			names = append(names, e.Name())
		}
	}
	for name := range f.tables {
		if _, ok := seen[name]; !ok {
			names = append(names, name) // deleted by Badger, or by somebody else
		}
	}
	f.tables = seen
	return names
}

// lost notes that the folder is gone under the store.
func (s *Store) lost(dir string) {
	if s.failed.CompareAndSwap(nil, errLost) {
		s.log.Error("the folder of the store was deleted, moved or exchanged while the server runs: nothing is written any more. Stop the server and restore a backup of the data directory", "dir", dir)
	}
}

var errLost = fault.Wrap(fault.Unavailable, "commit", "the store's folder is gone from under the program; nothing was done", fs.ErrNotExist)
