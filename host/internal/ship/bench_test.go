package ship

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/bucket"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger"
)

// BenchmarkShipping has 64 clients make durable sets of 100 bytes, in rounds of a
// second with and without shipping, one after the other: each on a store of its own
// that is open all the time.
func BenchmarkShipping(b *testing.B) {
	const clients, rounds = 64, 5
	plain, shipping := benchStore(b), benchStore(b)
	place, err := bucket.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	dir := b.TempDir()
	s, err := Start(context.Background(), Config{
		Bucket: place, Source: source{shipping}, Dir: dir, Modules: filepath.Join(dir, "modules"), Every: 10 * time.Second,
		BaseEvery: time.Hour, Keep: time.Hour, MaxQueue: 1 << 30, Room: func() error { return nil }, Server: "bench", Clock: time.Now,
		Log: quiet(), Fenced: func(err error) { b.Error(err) },
	})
	if err != nil {
		b.Fatal(err)
	}
	var rates [2][]float64
	for b.Loop() {
		for range rounds {
			for i, st := range []*badger.Store{plain, shipping} {
				rates[i] = append(rates[i], sets(b, st, clients))
			}
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	s.Close(ctx)
	median := func(all []float64) float64 { slices.Sort(all); return all[len(all)/2] }
	without, with := median(rates[0]), median(rates[1])
	b.ReportMetric(without, "sets/s-without")
	b.ReportMetric(with, "sets/s-with")
	b.ReportMetric(100*(without-with)/without, "%-cost")
	b.ReportMetric(0, "ns/op")
}

func benchStore(b *testing.B) *badger.Store {
	s, err := badger.Open(badger.Config{Dir: b.TempDir(), Reserve: -1})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return s
}

// sets returns how many a second are durable.
func sets(b *testing.B, s *badger.Store, clients int) float64 {
	value := make([]byte, 100)
	begun := time.Now()
	var all sync.WaitGroup
	counts := make([]int, clients)
	for c := range clients {
		all.Go(func() {
			for time.Since(begun) < time.Second {
				key := fmt.Appendf(nil, "%d-%d-%d", c, begun.UnixNano(), counts[c])
				e := &store.Effects{Now: time.Now(), Parts: []store.Part{{Space: 1, Ops: []store.Op{{Key: key, Value: store.Value{Data: value}}}}}}
				if _, err := s.Commit(context.Background(), e); err != nil {
					b.Error(err)
					return
				}
				counts[c]++
			}
		})
	}
	all.Wait()
	total := 0
	for _, n := range counts {
		total += n
	}
	return float64(total) / time.Since(begun).Seconds()
}
