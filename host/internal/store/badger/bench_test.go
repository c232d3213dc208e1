package badger

import (
	"context"
	"encoding/binary"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/wasmoor/wasmoor/host/internal/store"
)

const writers = 64

// measure runs step in 64 goroutines for b.N steps in all and reports steps
// per second.
func measure(b *testing.B, step func(writer int, n uint64) error) {
	b.Helper()
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	for w := range writers {
		wg.Go(func() {
			for n := uint64(0); next.Add(1) <= int64(b.N); n++ {
				if err := step(w, n); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
}

func benchKey(writer int, n uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{byte(writer)}, n)
}

func openBench(b *testing.B) *Store {
	b.Helper()
	s, err := Open(Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return s
}

// transact runs one transaction as an invocation does.
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

func BenchmarkSet(b *testing.B) {
	value := make([]byte, 100)
	b.Run("store", func(b *testing.B) {
		s := openBench(b)
		measure(b, func(w int, n uint64) error {
			return transact(s, func(tx *store.Tx) error { return tx.Set(benchKey(w, n), value, 0) })
		})
	})
	b.Run("badger-syncwrites", func(b *testing.B) {
		db := openPlain(b, true)
		measure(b, func(w int, n uint64) error {
			return db.Update(func(txn *badger.Txn) error { return txn.Set(benchKey(w, n), value) })
		})
	})
}

func openPlain(b *testing.B, sync bool) *badger.DB {
	b.Helper()
	db, err := badger.Open(badger.DefaultOptions(b.TempDir()).WithSyncWrites(sync).WithLogger(nil))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	return db
}
