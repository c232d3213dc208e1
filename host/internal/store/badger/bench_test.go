package badger

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/dgraph-io/badger/v4"
	_ "github.com/ncruces/go-sqlite3/driver"

	"github.com/wasmoor/wasmoor/host/internal/store"
)

// The benchmarks compare durable writes of 64 writers: the store; Badger's own
// transactions with SyncWrites; a Badger WriteBatch of what has gathered, then
// Sync; SQLite in WAL mode with synchronous=FULL.

const benchWriters = 64

// system is something that commits.
type system interface {
	set(writer int, n uint64, value []byte) error // a key of its own each time
	add() error                                   // one to the one counter
}

var systems = []struct {
	name string
	open func(b *testing.B) system
}{
	{"store", func(b *testing.B) system { return &ours{open(b, Config{})} }},
	{"badger-syncwrites", func(b *testing.B) system { return &plain{openPlain(b, true)} }},
	{"badger-writebatch", func(b *testing.B) system { return openBatched(b) }},
	{"sqlite-wal-full", func(b *testing.B) system { return openSQLite(b) }},
}

// Each system gets rounds of a second, interleaved, so that a machine that
// slows down slows down all of them. The ratio is of the medians.
const (
	benchRounds = 3
	benchRound  = time.Second
)

// BenchmarkDurableSet writes keys of 100 bytes, each its own.
func BenchmarkDurableSet(b *testing.B) {
	value := make([]byte, 100)
	compare(b, func(sys system, writer int, n uint64) error { return sys.set(writer, n, value) })
}

// BenchmarkHotCounter adds to one counter.
func BenchmarkHotCounter(b *testing.B) {
	compare(b, func(sys system, _ int, _ uint64) error { return sys.add() })
}

// compare logs a table of commits per second, and how often the store's go into
// each.
func compare(b *testing.B, step func(sys system, writer int, n uint64) error) {
	opened := make([]system, len(systems))
	for i, s := range systems {
		opened[i] = s.open(b)
	}
	rates := make([][]float64, len(systems))
	from := uint64(0)
	for b.Loop() {
		for range benchRounds {
			for i, sys := range opened {
				rates[i] = append(rates[i], measure(b, from, func(w int, n uint64) error { return step(sys, w, n) }))
			}
			from += 1 << 32 // keys are new in each round
		}
	}
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "64 writers\tcommits/s\tstore is\t\n")
	for i, s := range systems {
		fmt.Fprintf(w, "%s\t%.0f\t%.2fx\t\n", s.name, median(rates[i]), median(rates[0])/median(rates[i]))
	}
	_ = w.Flush() // to memory
	b.Log("\n" + text.String())
	b.ReportMetric(median(rates[0]), "commits/s")
	b.ReportMetric(0, "ns/op") // of all rounds together: it means nothing
}

func median(rates []float64) float64 {
	sorted := slices.Sorted(slices.Values(rates))
	return sorted[len(sorted)/2]
}

// measure takes steps with all writers for a round and returns how many a
// second were taken.
func measure(b *testing.B, from uint64, step func(writer int, n uint64) error) float64 {
	b.Helper()
	var steps atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for w := range benchWriters {
		wg.Go(func() {
			for n := from; time.Since(start) < benchRound; n++ {
				if err := step(w, n); err != nil {
					b.Error(err)
					return
				}
				steps.Add(1)
			}
		})
	}
	wg.Wait()
	return float64(steps.Load()) / time.Since(start).Seconds()
}

func benchKey(writer int, n uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{byte(writer)}, n)
}

var hot = []byte("counter")

// ours does what an invocation does: snapshot, transaction, commit.
type ours struct{ s *Store }

func (o *ours) set(writer int, n uint64, value []byte) error {
	return transact(o.s, func(tx *store.Tx) error { return tx.Set(benchKey(writer, n), value, 0) })
}

func (o *ours) add() error {
	return transact(o.s, func(tx *store.Tx) error { return tx.Add(hot, 1) })
}

// transact runs f in a transaction on space 1 and commits it.
func transact(s store.Store, f func(tx *store.Tx) error) error {
	snap, err := s.Snapshot()
	if err != nil {
		return err
	}
	tx := store.Begin(snap, 1, store.Quota{}, time.Now())
	defer tx.Close()
	if err := f(tx); err != nil {
		return err
	}
	_, err = s.Commit(context.Background(), tx.Effects())
	return err
}

// plain is Badger with a transaction per commit.
type plain struct{ db *badger.DB }

func openPlain(b *testing.B, syncWrites bool) *badger.DB {
	b.Helper()
	db, err := badger.Open(badger.DefaultOptions(b.TempDir()).WithSyncWrites(syncWrites).WithLogger(nil))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	})
	return db
}

func (p *plain) set(writer int, n uint64, value []byte) error {
	return p.db.Update(func(txn *badger.Txn) error { return txn.Set(benchKey(writer, n), value) })
}

func (p *plain) add() error {
	for {
		err := p.db.Update(func(txn *badger.Txn) error {
			n, err := counterIn(txn)
			if err != nil {
				return err
			}
			return txn.Set(hot, store.AppendCounter(nil, n+1))
		})
		if !errors.Is(err, badger.ErrConflict) {
			return err
		}
	}
}

func counterIn(txn *badger.Txn) (n int64, err error) {
	item, err := txn.Get(hot)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	err = item.Value(func(b []byte) error {
		n, _ = store.CounterOf(b)
		return nil
	})
	return n, err
}

// batched is the simplest group commit on Badger: no snapshots, no conflicts,
// no quotas; what has gathered goes into a WriteBatch, then Sync.
type batched struct {
	db    *badger.DB
	steps chan batchStep
}

type batchStep struct {
	key, value []byte // no key: add one to the counter
	done       chan error
}

func openBatched(b *testing.B) *batched {
	s := &batched{openPlain(b, false), make(chan batchStep, benchWriters)}
	var wg sync.WaitGroup
	wg.Go(func() {
		for first := range s.steps {
			steps := []batchStep{first}
			for len(s.steps) > 0 {
				steps = append(steps, <-s.steps)
			}
			err := s.write(steps)
			for _, step := range steps {
				step.done <- err
			}
		}
	})
	b.Cleanup(func() {
		close(s.steps)
		wg.Wait()
	})
	return s
}

func (s *batched) write(steps []batchStep) error {
	batch := s.db.NewWriteBatch()
	defer batch.Cancel()
	adds := int64(0)
	for _, step := range steps {
		if step.key == nil {
			adds++
			continue
		}
		if err := batch.Set(step.key, step.value); err != nil {
			return err
		}
	}
	if adds > 0 {
		var n int64
		err := s.db.View(func(txn *badger.Txn) (err error) {
			n, err = counterIn(txn)
			return err
		})
		if err = errors.Join(err, batch.Set(hot, store.AppendCounter(nil, n+adds))); err != nil {
			return err
		}
	}
	if err := batch.Flush(); err != nil {
		return err
	}
	return s.db.Sync()
}

func (s *batched) do(key, value []byte) error {
	step := batchStep{key, value, make(chan error, 1)}
	s.steps <- step
	return <-step.done
}

func (s *batched) set(writer int, n uint64, value []byte) error {
	return s.do(benchKey(writer, n), value)
}

func (s *batched) add() error { return s.do(nil, nil) }

// sqlite has one connection: it has one writer anyway, and waiting in Go is
// faster than its busy handler.
type sqlite struct{ insert, increment *sql.Stmt }

func openSQLite(b *testing.B) *sqlite {
	b.Helper()
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(b.TempDir(), "db")+"?_pragma=journal_mode(wal)&_pragma=synchronous(full)")
	if err != nil {
		b.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	prepare := func(query string) *sql.Stmt {
		stmt, err := db.Prepare(query)
		if err != nil {
			b.Fatal(err)
		}
		return stmt
	}
	_, err = db.Exec("create table kv (k blob primary key, v any) without rowid")
	if err != nil {
		b.Fatal(err)
	}
	s := &sqlite{
		prepare("insert into kv values (?, ?) on conflict do update set v = excluded.v"),
		prepare("insert into kv values (?, 1) on conflict do update set v = v + 1"),
	}
	var mode string
	var level int
	if err := errors.Join(db.QueryRow("pragma journal_mode").Scan(&mode), db.QueryRow("pragma synchronous").Scan(&level)); err != nil || mode != "wal" || level != 2 {
		b.Fatalf("journal mode %q, synchronous %d, %v", mode, level, err)
	}
	b.Cleanup(func() {
		if err := errors.Join(s.insert.Close(), s.increment.Close(), db.Close()); err != nil {
			b.Error(err)
		}
	})
	return s
}

func (s *sqlite) set(writer int, n uint64, value []byte) error {
	_, err := s.insert.Exec(benchKey(writer, n), value)
	return err
}

func (s *sqlite) add() error {
	_, err := s.increment.Exec(hot)
	return err
}

func BenchmarkSnapshot(b *testing.B) {
	s := open(b, Config{})
	b.ReportAllocs()
	for b.Loop() {
		snap, err := s.Snapshot()
		if err != nil {
			b.Fatal(err)
		}
		snap.Release()
	}
}

// BenchmarkSnapshotGet reads one of 10,000 keys on a new snapshot, alone and
// beside a writer that never rests.
func BenchmarkSnapshotGet(b *testing.B) {
	const keys = 10_000
	for _, busy := range []bool{false, true} {
		b.Run(map[bool]string{false: "idle", true: "beside-writer"}[busy], func(b *testing.B) {
			s := open(b, Config{})
			fill(b, s, keys)
			stop := make(chan struct{})
			var wg sync.WaitGroup
			if busy {
				wg.Go(func() { writeUntil(b, s, stop) })
			}
			b.ReportAllocs()
			n := uint64(0)
			for b.Loop() {
				snap, err := s.Snapshot()
				if err != nil {
					b.Fatal(err)
				}
				if _, ok, err := snap.Get(1, benchKey(0, n%keys)); err != nil || !ok {
					b.Fatal(ok, err)
				}
				snap.Release()
				n++
			}
			close(stop)
			wg.Wait()
		})
	}
}

// BenchmarkScan lists 100 of 10,000 keys.
func BenchmarkScan(b *testing.B) {
	const keys = 10_000
	s := open(b, Config{})
	fill(b, s, keys)
	b.ReportAllocs()
	for b.Loop() {
		snap, err := s.Snapshot()
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		err = snap.Scan(1, benchKey(0, 5000), nil, false, func([]byte, store.Value) bool { n++; return n < 100 })
		if err != nil || n != 100 {
			b.Fatal(n, err)
		}
		snap.Release()
	}
}

func fill(b *testing.B, s *Store, keys int) {
	b.Helper()
	err := transact(s, func(tx *store.Tx) error {
		for n := range keys {
			if err := tx.Set(benchKey(0, uint64(n)), make([]byte, 100), 0); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

func writeUntil(b *testing.B, s *Store, stop <-chan struct{}) {
	for n := uint64(0); ; n++ {
		select {
		case <-stop:
			return
		default:
		}
		if err := transact(s, func(tx *store.Tx) error { return tx.Set(benchKey(1, n), nil, 0) }); err != nil {
			b.Error(err)
			return
		}
	}
}

// BenchmarkCommit has one writer set keys of its own, on a store whose writes
// reach no disk: what remains is what a commit costs besides Badger's write. One
// of its allocations is that of the hook.
func BenchmarkCommit(b *testing.B) {
	s := open(b, Config{Persist: func(store.Revision, func() error) error { return nil }})
	value := make([]byte, 100)
	e := store.Effects{Now: time.Now(), Parts: []store.Part{{Space: 1, Ops: []store.Op{{Value: store.Value{Data: value}}}}}}
	b.ReportAllocs()
	n := uint64(0)
	for b.Loop() {
		n++
		e.Parts[0].Ops[0].Key = benchKey(0, n%1000)
		if _, err := s.Commit(context.Background(), &e); err != nil {
			b.Fatal(err)
		}
	}
}
