// Package badger is the embedded store engine, on Badger in managed mode: our
// revisions are its commit timestamps, so that opening a snapshot waits for
// nobody. One goroutine, the committer, decides about every commit and writes
// many of them with one sync. Only package host may import it; no Badger type
// crosses its API.
package badger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/certify"
)

// Config says where and how to keep a store. The zero value of every field but
// Dir is its default.
type Config struct {
	// Dir holds the store's files. It is created if absent, and belongs to one
	// process at a time.
	Dir string
	// Clock tells the time for sweeping expired values and for the age of
	// snapshots. Default time.Now.
	Clock func() time.Time
	// Logger gets what Badger says and what the background work does. Default:
	// nothing is logged.
	Logger *slog.Logger
	// MinFree is how many bytes must be free on Dir's file system to accept a
	// commit; commits that only delete are accepted down to half of it. Badger
	// writes through memory maps: on a full disk the process would die.
	// Default 256 MiB; below 0, or on systems without a way to ask, no guard.
	MinFree int64
	// Reserve is the size in bytes of a file that is deleted to open a store on
	// a full disk, and made again once there is room. Default 64 MiB; below 0
	// none.
	Reserve int64
	// WindowKeys and WindowBytes bound the memory of recent writes, of which those
	// older than certify.Horizon take a quarter at most. Effects that read a
	// snapshot older than it are a conflict. Defaults 1,048,576 keys and 256 MiB.
	WindowKeys  int
	WindowBytes int
	// MaxSnapshotAge is how long a snapshot stays readable while commits go on;
	// reading it later is a conflict. It bounds the old versions kept on disk.
	// Default 5 min.
	MaxSnapshotAge time.Duration
	// Marker is a file outside Dir that remembers that there is a store in it, and
	// which: a folder that was emptied or exchanged is refused. Default: nothing
	// remembers.
	Marker string
	// ScrubEvery is how long the scrub takes to verify all tables once, in the
	// background. Default 24 h; below 0 no scrub.
	ScrubEvery time.Duration
	// SweepEvery is the pause between two sweeps of expired values. Default
	// 30 s.
	SweepEvery time.Duration

	// Persist, for tests, stands between the committer and the disk: it is called
	// with the revision of a group, by one goroutine at a time, and with the
	// function that makes the group durable, which it calls or not, when it likes.
	// An error is one of the disk, whatever was written. Default: only write.
	Persist func(revision store.Revision, write func() error) error

	// For tests; nil is the real thing.
	free func(dir string) (int64, error)
	tune func(*badger.Options)
}

func (c Config) withDefaults() Config {
	orDefault(&c.MinFree, 256<<20)
	orDefault(&c.Reserve, 64<<20)
	orDefault(&c.WindowKeys, 1<<20)
	orDefault(&c.WindowBytes, 256<<20)
	orDefault(&c.MaxSnapshotAge, 5*time.Minute)
	orDefault(&c.SweepEvery, 30*time.Second)
	orDefault(&c.ScrubEvery, 24*time.Hour)
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.free == nil {
		c.free = freeSpace
	}
	if c.tune == nil {
		c.tune = func(*badger.Options) {}
	}
	return c
}

func orDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Store implements store.Store.
type Store struct {
	db     *badger.DB
	log    *slog.Logger
	clock  func() time.Time
	epochs epochs
	queue  *queue
	// requests are used again: a commit allocates little beside its entries.
	requests sync.Pool
	guard    *guard
	janitor
	scrub     *scrub
	halt      *halt
	watermark *watermark
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

// Open opens the store in cfg.Dir, or makes one. Close it. Errors by fault
// code: Invalid (the directory holds something else, or a newer format),
// Exhausted (the disk is full even without the reserve file), Unavailable (the
// directory is in use by another process, or cannot be opened).
func Open(cfg Config) (*Store, error) {
	cfg = cfg.withDefaults()
	if cfg.Dir == "" {
		return nil, fault.New(fault.Invalid, "open store", "no directory given")
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fault.Wrap(fault.Unavailable, "open store", fmt.Sprintf("cannot make directory %q", cfg.Dir), err)
	}
	if err := checkFolder(cfg); err != nil {
		return nil, err
	}
	g := newGuard(cfg)
	if err := g.open(); err != nil {
		return nil, err
	}
	h := newHalt()
	db, err := openBadger(badgerOptions(cfg, h))
	if err != nil {
		return nil, cannotOpen(cfg.Dir, err)
	}
	s, err := start(cfg, db, g, h)
	if err != nil {
		_ = db.Close() // the first error says more
		return nil, err
	}
	return s, nil
}

// openBadger makes a panic of Badger's own an error. The folder was checked, and
// what it found is whole; this is for what changed meanwhile.
func openBadger(o badger.Options) (db *badger.DB, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	return badger.OpenManaged(o)
}

// cannotOpen says what to do about an error of Badger's, which tells its kinds
// apart by text.
func cannotOpen(dir string, err error) error {
	text := err.Error()
	switch {
	case strings.Contains(text, "Another process is using this Badger database"):
		return fault.Wrap(fault.Unavailable, "open store", fmt.Sprintf("another process is using %q; stop it, or choose another data directory", dir), err)
	case errors.Is(err, fs.ErrPermission), strings.Contains(text, "read-only file system"):
		return fault.Wrap(fault.Unavailable, "open store", fmt.Sprintf("the directory %q cannot be written to", dir), err)
	}
	return fault.Wrap(fault.Invalid, "open store", fmt.Sprintf("the store in %q is damaged; restore a backup", dir), err)
}

// badgerOptions sets Badger up for an embedded server: durable, no conflict
// detection and no metrics of its own, memory in proportion.
func badgerOptions(cfg Config, h *halt) badger.Options {
	o := badger.DefaultOptions(cfg.Dir).
		WithSyncWrites(true).
		WithDetectConflicts(false).
		WithMetricsEnabled(false).
		WithChecksumVerificationMode(options.OnBlockRead).
		WithMemTableSize(memTableSize).
		WithNumMemtables(2).
		WithBlockCacheSize(32 << 20).
		WithValueThreshold(valueThreshold).
		WithValueLogFileSize(4 << 20).
		WithNumCompactors(3). // the third one compacts the last level
		WithLogger(badgerLog{cfg.Logger, h})
	o.LmaxCompaction = true // or what is deleted and not written again stays on disk
	cfg.tune(&o)
	return o
}

// memTableSize makes a batch, 15 % of it, large enough for any one commit. Not
// more: under load several tables of that size and their copies are in memory.
const memTableSize = 48 << 20

// start reads what the store remembers and starts its goroutines.
func start(cfg Config, db *badger.DB, g *guard, h *halt) (_ *Store, err error) {
	s := &Store{
		db: db, log: cfg.Logger, clock: cfg.Clock, guard: g, halt: h, queue: newQueue(),
		maxEntries: db.MaxBatchCount(), maxBytes: db.MaxBatchSize(),
		persist:   cfg.Persist,
		committed: make(chan struct{}),
		usage:     make(map[store.Space]store.Usage),
	}
	if err := s.checkFormat(); err != nil {
		return nil, err
	}
	if err := s.mark(cfg); err != nil {
		return nil, err
	}
	if s.watermark, err = openWatermark(cfg.Dir); err != nil {
		return nil, fault.Wrap(fault.Unavailable, "open store", fmt.Sprintf("cannot write to the directory %q", cfg.Dir), err)
	}
	revision := store.Revision(db.MaxVersion())
	s.epochs = epochs{published: revision, maxAge: cfg.MaxSnapshotAge, now: cfg.Clock}
	db.SetDiscardTs(uint64(revision))
	unswept, err := s.load()
	if err != nil {
		return nil, errors.Join(err, s.watermark.close())
	}
	c := newCommitter(s, s.resume(revision, cfg))
	s.scrub = newScrub(s, cfg.ScrubEvery) // before anything can find damage
	s.scrub.start()
	h.store.Store(s)
	go c.run()
	s.janitor.start(s, cfg.SweepEvery, unswept)
	return s, nil
}

// latest returns a transaction that reads the newest version of everything.
func (s *Store) latest() *badger.Txn { return s.db.NewTransactionAt(s.db.MaxVersion(), false) }

// resume returns the log that goes on after what was loaded.
func (s *Store) resume(revision store.Revision, cfg Config) *certify.Log {
	dropped := make(map[store.Space]bool)
	for space := range *s.dropped.Load() {
		dropped[space] = true
	}
	bounds := certify.Bounds{Keys: cfg.WindowKeys, Bytes: cfg.WindowBytes}
	return certify.New(revision, maps.Clone(s.usage), dropped, bounds)
}

// load reads usage records and dropped spaces, and returns the dropped spaces
// that are still to be swept.
func (s *Store) load() (unswept []store.Space, err error) {
	txn := s.latest()
	defer txn.Discard()
	var bad error
	err = scan{txn, []byte{kindUsage}, []byte{kindUsage + 1}}.run(false, func(item *badger.Item) bool {
		bad = item.Value(func(b []byte) error {
			u, ok := decodeUsage(b)
			if !ok {
				return errRecord
			}
			s.usage[spaceOf(item.Key())] = u
			return nil
		})
		return bad == nil
	})
	if err != nil || bad != nil {
		return nil, fault.Wrap(fault.Internal, "open store", "cannot read the usage records", firstError(err, bad))
	}
	dropped := make(map[store.Space]store.Revision)
	err = scan{txn, []byte{kindDropped}, []byte{kindDropped + 1}}.run(false, func(item *badger.Item) bool {
		space := spaceOf(item.Key())
		dropped[space] = store.Revision(item.Version())
		bad = item.Value(func(b []byte) error {
			if len(b) != 1 {
				return errRecord
			}
			if b[0] == stillSweeping {
				unswept = append(unswept, space)
			}
			return nil
		})
		return bad == nil
	})
	if err != nil || bad != nil {
		return nil, fault.Wrap(fault.Internal, "open store", "cannot read the records of dropped spaces", firstError(err, bad))
	}
	s.dropped.Store(&dropped)
	return unswept, nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Snapshot implements store.Store. It never waits for a commit.
func (s *Store) Snapshot() (store.Snapshot, error) {
	if !s.enter() {
		return nil, fault.New(fault.Unavailable, "snapshot", "the store is closed")
	}
	defer s.leave()
	ep := s.epochs.enter()
	return &snapshot{store: s, epoch: ep, txn: s.db.NewTransactionAt(uint64(ep.rev), false)}, nil
}

// Watch implements store.Store.
func (s *Store) Watch(space store.Space, prefix []byte) *store.Watch {
	return s.watches.Add(space, prefix)
}

// Usage implements store.Store. An unused space holds nothing; a dropped one
// is NotFound. Expired values count until they are swept.
func (s *Store) Usage(space store.Space) (store.Usage, error) {
	if _, gone := (*s.dropped.Load())[space]; gone {
		return store.Usage{}, fault.New(fault.NotFound, "usage", "the key space has been deleted")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.usage[space], nil
}

func (s *Store) noteUsage(spaces map[store.Space]struct{}, log *certify.Log) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for space := range spaces {
		s.usage[space] = log.Usage(space)
	}
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
	if _, err := s.submit(r); err != nil {
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
	return s.guard.health()
}

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
	s.queue.close()
	<-s.committed
	s.guard.close()
	open := s.epochs.readers()
	if err := errors.Join(s.watermark.close(), s.closeBadger()); err != nil {
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
