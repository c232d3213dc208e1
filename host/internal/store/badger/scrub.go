package badger

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/dgraph-io/badger/v4"

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
	tables, err := inspect.Tables(sc.store.dir)
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
	err := t.Read(ctx, sc.store.dir, pace, nil)
	if err == nil || ctx.Err() != nil {
		return nil
	}
	tables, listErr := inspect.Tables(sc.store.dir)
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
		sc.store.log.Error("a file of the data directory is damaged", "file", filepath.Join(sc.store.dir, d.File), "damage", d.What)
	}
	sc.store.found(d)
}
