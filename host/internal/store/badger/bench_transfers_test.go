package badger

import (
	"fmt"
	"math/rand"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// The transfers of the benchmark that databases publish: each moves 1 between two
// of many accounts, two reads and two writes, and is durable before the next.
const (
	transferAccounts = 100_000
	transferBalance  = 1_000
)

// BenchmarkTransfers measures transfers of 64 writers, between accounts chosen
// uniformly and by Zipf's law. An add is what one commit costs without reads.
// Refused are those that conflicted in every attempt.
func BenchmarkTransfers(b *testing.B) {
	for _, test := range []struct {
		name string
		step func(s *Store, tally *tally) func(pick func() uint64) error
		zipf float64
	}{
		{"add", addOne, 0},
		{"uniform", transferOne, 0},
		{"zipf=1.5", transferOne, 1.5},
	} {
		b.Run(test.name, func(b *testing.B) {
			s := open(b, Config{})
			fillAccounts(b, s)
			var t tally
			step := test.step(s, &t)
			pick := make([]func() uint64, benchWriters)
			for w := range pick {
				pick[w] = picker(int64(w), test.zipf)
			}
			start := time.Now()
			b.ReportAllocs()
			b.ResetTimer()
			var wg sync.WaitGroup
			var begun atomic.Int64
			for w := range benchWriters {
				wg.Go(func() {
					for begun.Add(1) <= int64(b.N) {
						if err := step(pick[w]); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			done := float64(b.N) - float64(t.refused.Load())
			b.ReportMetric(done/time.Since(start).Seconds(), "transfers/s")
			b.ReportMetric(100*float64(t.refused.Load())/float64(b.N), "%refused")
			b.ReportMetric(float64(t.attempts.Load())/float64(b.N), "attempts")
			checkAccounts(b, s, test.name == "add", int64(b.N))
		})
	}
}

// tally counts what became of transfers.
type tally struct{ attempts, refused atomic.Int64 }

// picker returns a source of accounts: uniform, or by Zipf's law of exponent s.
func picker(seed int64, s float64) func() uint64 {
	random := rand.New(rand.NewSource(seed))
	if s == 0 {
		return func() uint64 { return uint64(random.Intn(transferAccounts)) }
	}
	return rand.NewZipf(random, s, 1, transferAccounts-1).Uint64
}

func account(n uint64) []byte { return fmt.Appendf(nil, "account/%06d", n) }

func addOne(s *Store, t *tally) func(func() uint64) error {
	return func(pick func() uint64) error {
		t.attempts.Add(1)
		key := account(pick())
		return transact(s, func(tx *store.Tx) error { return tx.Add(key, 1) })
	}
}

// transferOne runs a transfer as dispatch runs a handler.
func transferOne(s *Store, t *tally) func(func() uint64) error {
	return func(pick func() uint64) error {
		a, b := pick(), pick()
		for a == b {
			b = pick()
		}
		from, to := account(a), account(b)
		for range limit.Attempts {
			t.attempts.Add(1)
			err := transact(s, func(tx *store.Tx) error { return moveOne(tx, from, to) })
			if fault.CodeOf(err) != fault.Conflict {
				return err
			}
		}
		t.refused.Add(1)
		return nil
	}
}

func moveOne(tx *store.Tx, from, to []byte) error {
	for i, key := range [][]byte{from, to} {
		data, _, err := tx.Get(key)
		if err != nil {
			return err
		}
		n, ok := store.CounterOf(data)
		if !ok {
			return fmt.Errorf("account %s holds %d bytes", key, len(data))
		}
		if err := tx.Set(key, store.AppendCounter(nil, n-1+2*int64(i)), 0); err != nil {
			return err
		}
	}
	return nil
}

func fillAccounts(b *testing.B, s *Store) {
	b.Helper()
	const batch = 5_000
	for from := uint64(0); from < transferAccounts; from += batch {
		err := transact(s, func(tx *store.Tx) error {
			for n := from; n < from+batch; n++ {
				if err := tx.Set(account(n), store.AppendCounter(nil, transferBalance), 0); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// checkAccounts compares the sum of all accounts with what it must be.
func checkAccounts(b *testing.B, s *Store, adds bool, n int64) {
	b.Helper()
	snap, err := s.Snapshot()
	if err != nil {
		b.Fatal(err)
	}
	defer snap.Release()
	want, sum := int64(transferAccounts*transferBalance), int64(0)
	if adds {
		want += n
	}
	err = snap.Scan(1, nil, nil, false, func(_ []byte, v store.Value) bool {
		n, _ := store.CounterOf(v.Data)
		sum += n
		return true
	})
	if err != nil || sum != want {
		b.Errorf("the accounts hold %d, want %d (%v)", sum, want, err)
	}
}
