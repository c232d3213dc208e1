package badger

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/store"
)

// BenchmarkNeighbours measures how long a commit of one key takes while clients of
// another plugin commit as many keys at a time as they may, without guests. The
// writers make their effects before and pause between commits for as long as each
// took, so that computing is a small part of it.
func BenchmarkNeighbours(b *testing.B) {
	s := open(b, Config{})
	rows := []*neighbours{
		{name: "alone"},
		{name: "1 writes 9,999 keys of 100 bytes", writers: 1, keys: 9_999, size: 100},
		{name: "4 write 9,999 keys of 100 bytes", writers: 4, keys: 9_999, size: 100},
		{name: "4 write 4 keys of 1 MB", writers: 4, keys: 4, size: 1<<20 - 1<<10},
		{name: "64 write 1 key", writers: 64, keys: 1, size: 100},
	}
	for b.Loop() {
		for range benchRounds {
			for _, n := range rows {
				n.run(b, s)
			}
		}
	}
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "8 clients add, others\tadds/s\tp50\tp99\tmax\tcommits/s of others\t\n")
	for _, n := range rows {
		slices.Sort(n.adds)
		at := func(q float64) time.Duration {
			return n.adds[int(q*float64(len(n.adds)-1))].Round(10 * time.Microsecond)
		}
		fmt.Fprintf(w, "%s\t%.0f\t%v\t%v\t%v\t%.1f\t\n", n.name, float64(len(n.adds))/n.took.Seconds(), at(0.5), at(0.99), at(1), float64(n.commits)/n.took.Seconds())
	}
	_ = w.Flush() // to memory
	b.Log("\n" + text.String())
	b.ReportMetric(0, "ns/op") // of all rounds together: it means nothing
}

// neighbours is one row of the table.
type neighbours struct {
	name                string
	writers, keys, size int

	mu      sync.Mutex
	adds    []time.Duration
	commits int
	took    time.Duration
}

func (n *neighbours) run(b *testing.B, s *Store) {
	b.Helper()
	var clients sync.WaitGroup
	start := time.Now()
	for w := range n.writers {
		clients.Go(func() { n.write(b, s, n.effects(w), start.Add(benchRound)) })
	}
	for c := range 8 {
		clients.Go(func() { n.add(b, s, fmt.Append(nil, "n", c), start.Add(benchRound)) })
	}
	clients.Wait()
	n.took += time.Since(start)
}

// effects are those of a writer, of space 2.
func (n *neighbours) effects(writer int) *store.Effects {
	p := store.Part{Space: 2}
	for k := range n.keys {
		p.Ops = append(p.Ops, store.Op{Key: fmt.Appendf(nil, "%d-%06d", writer, k), Value: store.Value{Data: make([]byte, n.size)}})
	}
	return &store.Effects{Now: time.Now(), Parts: []store.Part{p}}
}

func (n *neighbours) write(b *testing.B, s *Store, e *store.Effects, end time.Time) {
	for before := time.Now(); before.Before(end); before = time.Now() {
		if _, err := s.Commit(context.Background(), e); err != nil {
			b.Error(err)
			return
		}
		n.mu.Lock()
		n.commits++
		n.mu.Unlock()
	}
}

func (n *neighbours) add(b *testing.B, s *Store, key []byte, end time.Time) {
	var adds []time.Duration
	for before := time.Now(); before.Before(end); {
		if err := transact(s, func(tx *store.Tx) error { return tx.Add(key, 1) }); err != nil {
			b.Error(err)
			return
		}
		after := time.Now()
		adds = append(adds, after.Sub(before))
		before = after
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.adds = append(n.adds, adds...)
}
