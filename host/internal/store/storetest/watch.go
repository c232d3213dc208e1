package storetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/store"
)

// takes checks what a watch has to tell: the keys, or "lost".
func (b *bench) takes(w *store.Watch, want ...string) {
	b.Helper()
	if len(want) > 0 {
		select {
		case <-w.Changed():
		case <-time.After(10 * time.Second):
			b.Fatalf("no signal of %q", want)
		}
	}
	c := w.Take()
	var got []string
	for _, key := range c.Keys {
		got = append(got, string(key))
	}
	if c.Lost {
		got = append(got, "lost")
	}
	if !slices.Equal(got, want) || (c.Revision == 0) != (len(want) == 0) || c.Revision > b.revision() {
		b.Fatalf("a watch tells %q of revision %d, want %q", got, c.Revision, want)
	}
}

func testWatch(t *testing.T, open Opener) {
	b := newBench(t, open, Options{})
	b.set("a1", "before")
	w, all, other := b.Watch(b.space, []byte("a")), b.Watch(b.space, nil), b.Watch(b.space+1, nil)
	records := b.Watch(b.space.In(store.AreaRecords), nil)
	for _, w := range []*store.Watch{w, all, other, records} {
		defer w.Close()
	}
	b.takes(w)
	b.set("a2", "x", "b", "x")
	b.takes(w, "a2")
	b.takes(all, "a2", "b")
	b.delete("a1")
	b.delete("a1") // it is gone: nothing changes
	b.want("add", b.add("a3", 1), "")
	b.want("add", b.add("a3", 1), "")
	b.must(func(tx *store.Tx) error { return setRecord(tx, "a9", "r") })
	b.takes(w, "a1", "a3")
	b.takes(all, "a1", "a3")
	b.takes(records, "a9")
	b.takes(other)
	b.want("a quota that refuses", b.refused(), "exhausted")
	b.takes(all)
	w.Close()
	w.Close()
	b.want("Drop", b.Drop(context.Background(), b.space), "")
	b.takes(all, "lost")
	b.takes(records, "lost")
	b.takes(w)
	b.takes(other)
}

// refused is the error of a commit that its quota refuses.
func (b *bench) refused() error {
	p := part(b.space, "refused")
	p.Quota.Bytes = 1
	return b.parts(b.revision(), p)
}

// testWatchSeesAll: a copy that is kept up to date by a watch is what is there,
// whatever commits do meanwhile.
func testWatchSeesAll(t *testing.T, open Opener) {
	b := newBench(t, open, Options{})
	w := b.Watch(b.space, []byte("a"))
	defer w.Close()
	var wg sync.WaitGroup
	for c := range 4 {
		wg.Go(func() {
			for i := range 100 {
				err := b.try(func(tx *store.Tx) error {
					key := fmt.Appendf(nil, "%c%d", "ab"[i%2], (c+i)%7)
					if i%5 == 0 {
						return tx.Delete(key)
					}
					return tx.Set(key, fmt.Append(nil, c, i), 0)
				})
				if err != nil {
					t.Errorf("commit: %v", err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() {
		wg.Wait()
		close(done)
	}()
	seen := map[string]string{}
	follow := func() {
		keys := w.Take().Keys
		tx := b.begin()
		defer tx.Close()
		for _, key := range keys {
			seen[string(key)] = b.get(tx, string(key))
		}
	}
	for more := true; more; {
		select {
		case <-w.Changed():
		case <-done:
			more = false
		}
		follow()
	}
	follow()
	for i := range 7 {
		key := fmt.Sprintf("a%d", i)
		if got, ok := seen[key]; ok || b.get(b.begin(), key) != absent {
			b.holds(key, got)
		}
	}
}
