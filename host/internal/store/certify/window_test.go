package certify

import (
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/wasmoor/wasmoor/host/internal/store"
)

// TestWindowModel compares the window with a plain map of key to revision,
// through inserts, updates, evictions, splits and joins of chunks.
func TestWindowModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		maxKeys := rapid.SampledFrom([]int{1, 10, 500, 100000}).Draw(t, "max keys")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		w := newWindow(Bounds{Keys: maxKeys, Bytes: 1 << 30}, 0)
		model := map[string]store.Revision{}
		var rev store.Revision
		universe := 1 + rng.IntN(2000)
		ascending := rng.IntN(2) == 0
		for range 1500 {
			rev++
			key := windowKey(rng.IntN(universe))
			if ascending {
				key = windowKey(int(rev))
			}
			w.passed(int64(rev) * 100)
			w.write(1, []byte(key), rev, store.State{Size: int64(rev)})
			w.forget()
			model[key] = rev
			if rng.IntN(10) == 0 {
				w.release(rev - min(rev, store.Revision(rng.IntN(5))))
			}
		}
		for range 200 {
			checkWindow(t, w, model, rev, rng)
		}
		checkChunks(t, w)
	})
}

func windowKey(n int) string { return string([]byte{byte(n >> 8), byte(n)}) }

// checkWindow asks about a random point and a random interval, as read at a
// random revision the window still covers.
func checkWindow(t *rapid.T, w *window, model map[string]store.Revision, rev store.Revision, rng *rand.Rand) {
	read := w.horizon + store.Revision(rng.Uint64N(uint64(rev-w.horizon)+1))
	key := windowKey(rng.IntN(2100))
	point := &store.Effects{Read: read, Parts: []store.Part{{Space: 1, Keys: [][]byte{[]byte(key)}}}}
	got, want := w.writtenSince(point), model[key] > read
	if faded := got != nil && got.Key == nil; !faded && ((got != nil) != want || want && (string(got.Key) != key || got.Revision != model[key])) {
		t.Fatalf("key %x since %d (horizon %d): %v, want %v", key, read, w.horizon, got, want)
	}
	r := store.Range{From: []byte(key)}
	if rng.IntN(4) > 0 {
		r.To = []byte(windowKey(rng.IntN(2100)))
	}
	want = false
	for k, at := range model {
		want = want || at > read && r.Contains([]byte(k))
	}
	interval := &store.Effects{Read: read, Parts: []store.Part{{Space: 1, Ranges: []store.Range{r}}}}
	got = w.writtenSince(interval)
	if faded := got != nil && got.Key == nil; !faded && ((got != nil) != want || want && (model[string(got.Key)] != got.Revision || got.Revision <= read || !r.Contains(got.Key))) {
		t.Fatalf("range %x since %d (horizon %d): %v, want %v", r, read, w.horizon, got, want)
	}
}

// checkChunks checks order, homes, counts and the bound of each chunk.
func checkChunks(t *rapid.T, w *window) {
	n, spans := 0, 0
	for _, s := range w.spaces {
		last := ""
		for _, c := range s.chunks {
			if len(c.items) == 0 || len(c.items) >= chunkSize {
				t.Fatalf("a chunk holds %d items", len(c.items))
			}
			for _, it := range c.items {
				if it.home != c || s.byKey[it.key] != it || it.key <= last || it.rev > c.last {
					t.Fatalf("item %x is out of place", it.key)
				}
				last = it.key
				n++
			}
		}
		if s.empty() {
			t.Fatal("an empty space is kept")
		}
		for i, sp := range s.spans {
			if sp.from > sp.to || i > 0 && s.spans[i-1].to >= sp.from || sp.rev > s.faded {
				t.Fatalf("span %d of %d is out of place", i, len(s.spans))
			}
		}
		spans += len(s.spans)
	}
	if spans != w.spans {
		t.Fatalf("%d spans, %d are counted", spans, w.spans)
	}
	listed, counted, cost, lapsed := 0, 0, 0, true
	for it := w.oldest; it != nil; it = it.next {
		listed++
		lapsed = lapsed && it != w.counted
		if it.lapsed != lapsed || !it.lapsed && it.rev <= w.horizon {
			t.Fatalf("item %x of revision %d, horizon %d: lapsed %v, want %v", it.key, it.rev, w.horizon, it.lapsed, lapsed)
		}
		if !it.lapsed {
			counted++
			cost += it.cost()
		}
		if it.next != nil && it.next.rev < it.rev {
			t.Fatal("items are not in order of revision")
		}
	}
	if n != listed || counted != w.keys || cost != w.bytes {
		t.Fatalf("%d items in chunks, %d in order; %d with %d bytes count, want %d with %d", n, listed, w.keys, w.bytes, counted, cost)
	}
}

func TestWindowForgetsByBytes(t *testing.T) {
	w := newWindow(Bounds{Keys: 1000, Bytes: 3 * (itemCost + 2)}, 0)
	for rev := range store.Revision(10) {
		w.write(1, []byte(windowKey(int(rev))), rev+1, store.State{})
		w.forget()
	}
	if w.horizon != 0 || w.keys != 3 || w.spans != 7 {
		t.Fatalf("horizon %d with %d keys and %d spans, want 0 with 3 and 7", w.horizon, w.keys, w.spans)
	}
	w.release(4)
	if w.find(1, []byte(windowKey(3))) != nil || w.find(1, []byte(windowKey(4))) == nil {
		t.Fatal("revision 5 is not released, and its state is gone; or that of 4 is kept")
	}
	w.release(10)
	if w.find(1, []byte(windowKey(6))) != nil || w.find(1, []byte(windowKey(7))) == nil || w.find(2, nil) != nil {
		t.Fatal("find disagrees")
	}
}

// TestWindowForgetsByTime: writes of the last 30 s stay up to the bounds, older
// ones up to a quarter.
func TestWindowForgetsByTime(t *testing.T) {
	w := newWindow(Bounds{Keys: 100, Bytes: 1 << 30}, 0)
	write := func(n int, at int64) {
		w.passed(at)
		w.write(1, []byte(windowKey(n)), store.Revision(n), store.State{})
		w.forget()
	}
	for n := range 80 {
		write(n+1, int64(n))
	}
	if w.keys != 80 {
		t.Fatalf("%d of 80 young writes are kept", w.keys)
	}
	write(81, Horizon.Milliseconds()+40) // 40 are older than that by now
	if w.keys != 41 || w.horizon != 40 {
		t.Fatalf("%d writes are kept above %d, want 41 above 40", w.keys, w.horizon)
	}
	write(82, 10) // a clock that went back
	write(83, 1<<40)
	if w.keys != 25 || w.horizon != 58 {
		t.Fatalf("%d writes are kept above %d, want a quarter of 100 above 58", w.keys, w.horizon)
	}
}
