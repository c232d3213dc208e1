package pages

import (
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/wasmoor/wasmoor/host/internal/store"
)

const space = store.Space(store.AreaSQL) << 56

// TestPages: whatever is asked at whatever revision, what is kept is what was there, and
// nothing has changed since Since.
func TestPages(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		room := rapid.SampledFrom([]int64{2 * overhead, 4 * overhead, 1 << 20}).Draw(t, "room of a shard")
		p := New(5, shards*room)
		states := map[store.Revision]map[string]string{5: {}} // by revision, as of each
		newest := store.Revision(5)
		keys := []string{"a", "b", "c", "d", "e", "f"}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			key := rapid.SampledFrom(keys).Draw(t, "key")
			at := store.Revision(rapid.IntRange(5, int(newest)).Draw(t, "revision"))
			was, there := states[at][key]
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0:
				next := maps.Clone(states[newest])
				newest++
				for range rapid.IntRange(0, 3).Draw(t, "changes") {
					key := rapid.SampledFrom(keys).Draw(t, "changed")
					if rapid.Bool().Draw(t, "deleted") {
						delete(next, key)
					} else {
						next[key] = fmt.Sprint(key, newest)
					}
					p.Change(space, []byte(key), newest, store.Value{Data: []byte(next[key])}, next[key] != "")
				}
				states[newest] = next
			case 1:
				p.Add([]byte(key), at, store.Value{Data: []byte(was)}, there)
			case 2:
				if v, found, kept := p.Get([]byte(key), at); kept && (found != there || string(v.Data) != was) {
					t.Fatalf("%s at %d: %q (%v), want %q (%v)", key, at, v.Data, found, was, there)
				}
			case 3:
				for r := p.Since(space, at); r <= at; r++ {
					if got, want := fmt.Sprint(states[r]), fmt.Sprint(states[at]); got != want {
						t.Fatalf("since %d, at %d: %s, want %s", r, at, got, want)
					}
				}
			}
			for i := range p.shards {
				bytes := int64(0)
				for k, e := range p.shards[i].kept {
					bytes += size(k, e)
				}
				if s := &p.shards[i]; s.bytes != bytes || bytes > room {
					t.Fatalf("a shard counts %d bytes and has %d of %d", s.bytes, bytes, room)
				}
			}
		}
	})
}

// TestPagesAreKept: what was read or changed is found, and stays while others come that
// nobody asks for again.
func TestPagesAreKept(t *testing.T) {
	p := New(1, shards*10*(overhead+4096))
	page := store.Value{Data: make([]byte, 4000)}
	p.Add([]byte("hot"), 1, page, true)
	if _, _, kept := p.Get([]byte("hot"), 1); !kept {
		t.Error("what was read is not kept")
	}
	p.Change(space, []byte("hot"), 2, page, true)
	for i := range 100 * shards {
		if _, _, kept := p.Get([]byte("hot"), store.Revision(i+2)); !kept {
			t.Fatal("a page in use is not kept")
		}
		p.Add(fmt.Append(nil, i), 2, page, true)
	}
}

// TestHammer has snapshots read while revisions come.
func TestHammer(t *testing.T) {
	p := New(1, shards*3*overhead)
	var published atomic.Uint64
	published.Store(1)
	value := func(key byte, at uint64) store.Value { // a key changes at each multiple of itself
		return store.Value{Data: fmt.Append(nil, at/uint64(key))}
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for at := uint64(0); at < 5_000; {
				at = published.Load()
				for key := byte(1); key < 20; key++ {
					want := value(key, at)
					v, there, kept := p.Get([]byte{key}, store.Revision(at))
					if kept && (!there || string(v.Data) != string(want.Data)) {
						t.Errorf("key %d at %d: %s, want %s", key, at, v.Data, want.Data)
						return
					}
					p.Add([]byte{key}, store.Revision(at), want, true)
				}
			}
		})
	}
	for at := uint64(2); at <= 5_000; at++ {
		for key := byte(1); key < 20; key++ {
			if at%uint64(key) == 0 {
				p.Change(space, []byte{key}, store.Revision(at), value(key, at), true)
			}
		}
		published.Store(at)
	}
	wg.Wait()
}
