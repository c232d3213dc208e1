package badger

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"strings"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/disk"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/folder"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/layout"
	"github.com/wasmoor/wasmoor/host/internal/store/certify"
)

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
	if err := folder.Check(cfg.folder()); err != nil {
		return nil, err
	}
	g := disk.NewGuard(disk.Config{Dir: cfg.Dir, MinFree: cfg.MinFree, Reserve: cfg.Reserve, Logger: cfg.Logger, Free: cfg.free})
	if err := g.Open(); err != nil {
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
	case errors.Is(err, fs.ErrPermission), strings.Contains(text, "permission denied"), strings.Contains(text, "read-only file system"):
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
		WithBaseTableSize(tableSize(cfg.Dir)).
		WithNumMemtables(1).
		WithNumLevelZeroTables(2).
		WithNumLevelZeroTablesStall(3). // with four it may merge them into one, in memory
		WithBlockCacheSize(32 << 20).
		WithValueThreshold(layout.ValueThreshold).
		WithValueLogFileSize(4 << 20).
		WithNumCompactors(3). // the third one compacts the last level, and no other number has it
		WithLogger(badgerLog{cfg.Logger, h})
	o.TableSizeMultiplier = 1 // of the level above: a large table takes as much memory to make
	o.LmaxCompaction = true   // or what is deleted and not written again stays on disk
	cfg.tune(&o)
	return o
}

// memTableSize makes a batch, 15 % of it, large enough for any one commit. Not
// more: under load several tables of that size and their copies are in memory.
const memTableSize = 48 << 20

// start reads what the store remembers and starts its goroutines.
func start(cfg Config, db *badger.DB, g *disk.Guard, h *halt) (_ *Store, err error) {
	s := &Store{
		db: db, dir: cfg.Dir, log: cfg.Logger, clock: cfg.Clock, guard: g, halt: h,
		maxEntries: db.MaxBatchCount(), maxBytes: db.MaxBatchSize(),
		persist:   cfg.Persist,
		buffers:   buffersOf(db),
		committed: make(chan struct{}),
		usage:     make(map[store.Space]store.Usage),
	}
	if err := s.checkFormat(); err != nil {
		return nil, err
	}
	if err := folder.Mark(cfg.folder(), s.id); err != nil {
		return nil, err
	}
	if s.watermark, err = folder.OpenWatermark(cfg.Dir); err != nil {
		return nil, fault.Wrap(fault.Unavailable, "open store", fmt.Sprintf("cannot write to the directory %q", cfg.Dir), err)
	}
	revision := store.Revision(db.MaxVersion())
	s.epochs = epochs{published: revision, maxAge: cfg.MaxSnapshotAge, now: cfg.Clock}
	db.SetDiscardTs(uint64(revision))
	unswept, err := s.load()
	if err != nil {
		return nil, errors.Join(err, s.watermark.Close())
	}
	s.committer = newCommitter(s, s.resume(revision, cfg))
	s.scrub = newScrub(s, cfg.ScrubEvery) // before anything can find damage
	s.scrub.start()
	h.store.Store(s)
	go s.committer.run()
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
	bounds := certify.Bounds{Keys: cfg.WindowKeys, Bytes: cfg.WindowBytes / 8 * 7} // the rest is for what fades
	return certify.New(revision, maps.Clone(s.usage), dropped, bounds)
}

// load reads usage records and dropped spaces, and returns the dropped spaces
// that are still to be layout.Swept.
func (s *Store) load() (unswept []store.Space, err error) {
	txn := s.latest()
	defer txn.Discard()
	var bad error
	err = scan{txn, []byte{layout.KindUsage}, []byte{layout.KindUsage + 1}}.run(false, func(item *badger.Item) bool {
		bad = item.Value(func(b []byte) error {
			u, ok := layout.DecodeUsage(b)
			if !ok {
				return layout.ErrRecord
			}
			s.usage[layout.SpaceOf(item.Key())] = u
			return nil
		})
		return bad == nil
	})
	if err != nil || bad != nil {
		return nil, fault.Wrap(fault.Internal, "open store", "cannot read the usage records", cmp.Or(err, bad))
	}
	dropped := make(map[store.Space]store.Revision)
	err = scan{txn, []byte{layout.KindDropped}, []byte{layout.KindDropped + 1}}.run(false, func(item *badger.Item) bool {
		space := layout.SpaceOf(item.Key())
		dropped[space] = store.Revision(item.Version())
		bad = item.Value(func(b []byte) error {
			if len(b) != 1 {
				return layout.ErrRecord
			}
			if b[0] == layout.StillSweeping {
				unswept = append(unswept, space)
			}
			return nil
		})
		return bad == nil
	})
	if err != nil || bad != nil {
		return nil, fault.Wrap(fault.Internal, "open store", "cannot read the records of dropped spaces", cmp.Or(err, bad))
	}
	s.dropped.Store(&dropped)
	return unswept, nil
}
