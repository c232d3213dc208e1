package badger

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"

	"github.com/dgraph-io/badger/v4"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/database"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/disk"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/epochs"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/folder"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/layout"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/meter"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/pages"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/reading"
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
	db, err := database.Open(badgerOptions(cfg, h))
	if err != nil {
		return nil, database.CannotOpen(cfg.Dir, err)
	}
	s, err := start(cfg, db, g, h)
	if err != nil {
		_ = db.Close() // the first error says more
		return nil, err
	}
	return s, nil
}

// badgerOptions are those of a store, as cfg says.
func badgerOptions(cfg Config, h *halt) badger.Options {
	o := database.Options(cfg.Dir, badgerLog{cfg.Logger, h})
	cfg.tune(&o)
	return o
}

// start reads what the store remembers and starts its goroutines.
func start(cfg Config, db *badger.DB, g *disk.Guard, h *halt) (_ *Store, err error) {
	s := &Store{
		Writes: meter.New(),
		db:     db, dir: cfg.Dir, log: cfg.Logger, clock: cfg.Clock, guard: g, halt: h,
		maxEntries: db.MaxBatchCount(), maxBytes: db.MaxBatchSize(),
		persist:   cfg.Persist,
		buffers:   database.BuffersOf(db),
		mapped:    database.MappedOf(db),
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
	s.pages = pages.New(revision, pages.Memory)
	s.epochs = epochs.New(revision, cfg.MaxSnapshotAge, cfg.Clock)
	discard := revision
	if cfg.Keep != 0 && cfg.Keep <= revision {
		s.kept, discard = s.epochs.Hold(cfg.Keep), cfg.Keep
	}
	db.SetDiscardTs(uint64(discard))
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
	err = reading.Between(txn, []byte{layout.KindUsage}, []byte{layout.KindUsage + 1}).Run(false, func(item *badger.Item) bool {
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
	err = reading.Between(txn, []byte{layout.KindDropped}, []byte{layout.KindDropped + 1}).Run(false, func(item *badger.Item) bool {
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
