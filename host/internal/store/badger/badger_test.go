package badger

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"
	"go.uber.org/goleak"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/layout"
	"github.com/wasmoor/wasmoor/host/internal/store/storetest"
)

// soak makes the long runs long.
var soak = flag.Bool("soak", false, "run the long versions of the tests")

// often picks a count: few in a normal run, many in a soak.
func often(few, many int) int {
	if *soak {
		return many
	}
	return few
}

func TestMain(m *testing.M) {
	if run := os.Getenv("WASMOOR_TEST_CHILD"); run != "" {
		os.Exit(child(run))
	}
	goleak.VerifyTestMain(m)
}

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t testing.TB, dir string, o storetest.Options) store.Store {
		s, err := Open(Config{Dir: dir, WindowKeys: o.Window, Reserve: -1})
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

// open opens a store that the test's end closes.
func open(t testing.TB, cfg Config) *Store {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	if cfg.Reserve == 0 {
		cfg.Reserve = -1
	}
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeStore(t, s) })
	return s
}

func closeStore(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func wantCode(t testing.TB, what string, err error, want fault.Code) {
	t.Helper()
	if got := fault.CodeOf(err); got != want {
		t.Fatalf("%s: code %q (%v), want %q", what, got, err, want)
	}
}

// set writes pairs of key and value to space 1 in one commit.
func set(s store.Store, pairs ...string) error {
	return transact(s, func(tx *store.Tx) error {
		for i := 0; i < len(pairs); i += 2 {
			if err := tx.Set([]byte(pairs[i]), []byte(pairs[i+1]), 0); err != nil {
				return err
			}
		}
		return nil
	})
}

func get(t testing.TB, s store.Store, key string) (value string, ok bool) {
	t.Helper()
	snap, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Release()
	v, ok, err := snap.Get(1, []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	return string(v.Data), ok
}

// gate holds the committer's writes back, so that requests gather in a group.
type gate struct {
	entered chan struct{}
	pass    chan struct{}
	closed  atomic.Bool
	writes  atomic.Int64
}

func newGate() *gate {
	return &gate{entered: make(chan struct{}, 100), pass: make(chan struct{})}
}

func (g *gate) persist(_ store.Revision, write func() error) error {
	g.writes.Add(1)
	if g.closed.Load() {
		g.entered <- struct{}{}
		<-g.pass
	}
	return write()
}

// gather has the committer busy with one commit, starts the others, waits until
// all are queued, and lets go. It returns their errors in the order of steps.
func (g *gate) gather(t *testing.T, s *Store, steps ...func() error) []error {
	t.Helper()
	g.closed.Store(true)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := set(s, "gate", "x"); err != nil {
			t.Errorf("set: %v", err)
		}
	})
	<-g.entered
	errs := make([]error, len(steps))
	before := s.committer.brought()
	for i, step := range steps {
		wg.Go(func() { errs[i] = step() })
		for s.committer.brought() <= before+i {
			runtime.Gosched()
		}
	}
	g.closed.Store(false)
	close(g.pass)
	wg.Wait()
	return errs
}

// brought counts the requests so far.
func (c *committer) brought() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.decided + c.backlog.Len()
}

func TestGroupIsCertifiedWithinItself(t *testing.T) {
	g := newGate()
	s := open(t, Config{Persist: g.persist})
	increment := func() error {
		return transact(s, func(tx *store.Tx) error {
			data, _, err := tx.Get([]byte("k"))
			if err != nil {
				return err
			}
			return tx.Set([]byte("k"), append(data, '+'), 0)
		})
	}
	add := func() error { return transact(s, func(tx *store.Tx) error { return tx.Add([]byte("n"), 1) }) }
	before := g.writes.Load()
	errs := g.gather(t, s, increment, increment, add, add, increment, add)
	for i, want := range []fault.Code{"", fault.Conflict, "", "", fault.Conflict, ""} {
		wantCode(t, fmt.Sprintf("member %d", i), errs[i], want)
	}
	if got := g.writes.Load() - before; got != 2 {
		t.Errorf("%d writes, want 2: the gate's and one for the group", got)
	}
	if v, _ := get(t, s, "k"); v != "+" {
		t.Errorf("k = %q", v)
	}
	if v, _ := get(t, s, "n"); v != string(store.AppendCounter(nil, 3)) {
		t.Errorf("n = %q", v)
	}
}

func TestGroupsSplitAtTheBatchLimit(t *testing.T) {
	g := newGate()
	s := open(t, Config{Persist: g.persist})
	value := make([]byte, store.MaxValue)
	var steps []func() error
	for i := range 4 { // 3 MiB each, two fit into a batch
		p := store.Part{Space: store.Space(i + 1)}
		for j := range 3 {
			p.Ops = append(p.Ops, store.Op{Key: fmt.Appendf(nil, "%d", j), Value: store.Value{Data: value}})
		}
		steps = append(steps, func() error {
			_, err := s.Commit(t.Context(), &store.Effects{Now: time.Now(), Parts: []store.Part{p}})
			return err
		})
	}
	before := g.writes.Load()
	for i, err := range g.gather(t, s, steps...) {
		wantCode(t, fmt.Sprintf("commit %d", i), err, "")
	}
	if got := g.writes.Load() - before; got != 1+2 {
		t.Errorf("%d writes, want 3", got)
	}
	if u, _ := s.Usage(1); u.Keys != 1+3 {
		t.Errorf("usage %+v", u)
	}
}

// TestAnyCommitFitsABatch compares the bound of what one commit takes with what
// Badger accepts.
func TestAnyCommitFitsABatch(t *testing.T) {
	s := open(t, Config{})
	const head = 1 + 8 // of a record
	const writes = store.MaxEffectOps + store.MaxRecords
	size := int64(store.MaxEffectBytes + store.MaxRecordBytes + writes*(bytesPerWrite+head+8) + (store.MaxParts+1)*bytesPerSpace + bytesPerGroup)
	entries := int64(writes*entriesPerWrite + store.MaxParts + 2)
	if size >= s.maxBytes || entries >= s.maxEntries {
		t.Errorf("a commit takes up to %d bytes in %d entries, a batch holds %d in %d", size, entries, s.maxBytes, s.maxEntries)
	}
}

func TestFailedWrite(t *testing.T) {
	broken := errors.New("input/output error")
	for _, reachesDisk := range []bool{false, true} {
		t.Run(fmt.Sprintf("reaches disk %v", reachesDisk), func(t *testing.T) {
			var fail atomic.Bool
			dir := t.TempDir()
			s := open(t, Config{Dir: dir, Persist: func(_ store.Revision, write func() error) error {
				if fail.Load() && !reachesDisk {
					return broken
				}
				err := write()
				if fail.Load() {
					return broken
				}
				return err
			}})
			wantCode(t, "set", set(s, "k", "before"), "")
			fail.Store(true)
			err := set(s, "k", "unknown", "l", "unknown")
			wantCode(t, "commit whose sync fails", err, fault.Unknown)
			if !errors.Is(err, broken) {
				t.Errorf("the cause is lost: %v", err)
			}
			fail.Store(false)
			wantCode(t, "commit after that", set(s, "m", "1"), fault.Unavailable)
			wantCode(t, "Drop after that", s.Drop(context.Background(), 1), fault.Unavailable)
			wantCode(t, "Health", s.Health(), fault.Unavailable)
			if v, _ := get(t, s, "k"); v != "before" {
				t.Errorf("what is not known to be durable is read: %q", v)
			}
			closeStore(t, s)

			s = open(t, Config{Dir: dir})
			want, keys := "before", int64(1)
			if reachesDisk {
				want, keys = "unknown", 2
			}
			if v, _ := get(t, s, "k"); v != want {
				t.Errorf("reopened: k = %q, want %q", v, want)
			}
			if u, _ := s.Usage(1); u.Keys != keys {
				t.Errorf("reopened: %+v, want %d keys", u, keys)
			}
			wantCode(t, "commit after reopening", set(s, "m", "1"), "")
			wantCode(t, "Health after reopening", s.Health(), "")
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Run("a newer format", func(t *testing.T) {
		dir := t.TempDir()
		db, err := badger.OpenManaged(badgerOptions(Config{Dir: dir}.withDefaults(), newHalt()))
		if err != nil {
			t.Fatal(err)
		}
		txn := db.NewTransactionAt(0, true)
		if err := errors.Join(txn.Set(layout.FormatKey, layout.EncodeFormat(layout.Format+1)), txn.CommitAt(1, nil), db.Close()); err != nil {
			t.Fatal(err)
		}
		_, err = Open(Config{Dir: dir, Reserve: -1})
		wantCode(t, "Open", err, fault.Invalid)
	})
	t.Run("another program's database", func(t *testing.T) {
		dir := t.TempDir()
		db, err := badger.Open(badger.DefaultOptions(dir).WithLogger(nil))
		if err != nil {
			t.Fatal(err)
		}
		err = db.Update(func(txn *badger.Txn) error { return txn.Set([]byte("k"), []byte("v")) })
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		_, err = Open(Config{Dir: dir, Reserve: -1})
		wantCode(t, "Open", err, fault.Invalid)
	})
	t.Run("a directory in use", func(t *testing.T) {
		s := open(t, Config{Dir: t.TempDir()})
		_, err := Open(Config{Dir: s.dir, Reserve: -1})
		wantCode(t, "Open", err, fault.Unavailable)
		wantCode(t, "the first one", set(s, "k", "v"), "")
	})
	t.Run("no directory", func(t *testing.T) {
		_, err := Open(Config{})
		wantCode(t, "Open", err, fault.Invalid)
	})
}

func TestCommitAfterDeadline(t *testing.T) {
	s := open(t, Config{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := s.Commit(ctx, &store.Effects{Now: time.Now(), Parts: []store.Part{{Space: 1, Ops: []store.Op{{Key: []byte("k")}}}}})
	wantCode(t, "Commit", err, fault.Deadline)
	wantCode(t, "Drop", s.Drop(ctx, 1), fault.Deadline)
	if _, ok := get(t, s, "k"); ok {
		t.Error("written all the same")
	}
}

func TestCloseReportsOpenSnapshots(t *testing.T) {
	s, err := Open(Config{Dir: t.TempDir(), Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	snap, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, "Close", s.Close(), fault.Internal)
	snap.Release()
}
