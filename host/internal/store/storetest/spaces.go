package storetest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// model is what a key space should hold.
type model map[string]string

func (m model) list(q store.Query) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		if strings.HasPrefix(k, string(q.Prefix)) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	if q.Reverse {
		slices.Reverse(keys)
	}
	var got []string
	for _, k := range keys {
		behind := q.After == nil || (k > string(q.After)) != q.Reverse && k != string(q.After)
		if behind && (q.Limit == 0 || len(got) < q.Limit) {
			got = append(got, k+"="+m[k])
		}
	}
	return got
}

// hostileKey draws keys that confuse encodings: NUL, 0xff, prefixes of each
// other.
func hostileKey() *rapid.Generator[[]byte] {
	return rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 'a', 0xfe, 0xff}), 1, 4)
}

func anyQuery() *rapid.Generator[store.Query] {
	return rapid.Custom(func(t *rapid.T) store.Query {
		q := store.Query{
			Prefix:  rapid.SliceOfN(rapid.SampledFrom([]byte{0, 'a', 0xff}), 0, 2).Draw(t, "prefix"),
			Limit:   rapid.IntRange(0, 4).Draw(t, "limit"),
			Reverse: rapid.Bool().Draw(t, "reverse"),
		}
		if rapid.Bool().Draw(t, "cursor") {
			q.After = hostileKey().Draw(t, "after")
		}
		return q
	})
}

// mutate draws a write, does it in tx and in m.
func mutate(t *rapid.T, tx *store.Tx, m model) {
	key := hostileKey().Draw(t, "key")
	var err error
	if rapid.IntRange(0, 2).Draw(t, "kind") == 0 {
		delete(m, string(key))
		err = tx.Delete(key)
	} else {
		value := rapid.StringN(0, 3, -1).Draw(t, "value")
		m[string(key)] = value
		err = tx.Set(key, []byte(value), 0)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func sameList(t *rapid.T, tx *store.Tx, m model, q store.Query) {
	var got []string
	err := tx.List(q, func(key, data []byte) bool {
		got = append(got, string(key)+"="+string(data))
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(m.list(q), got); diff != "" {
		t.Fatalf("List(%+v) (-want +got):\n%s", q, diff)
	}
}

// testIsolation writes hostile keys to neighbouring key spaces and areas, the
// last ones there are among them, and compares each with a model of its own.
func testIsolation(t *testing.T, open Opener) {
	b := newBench(t, open, Options{})
	models := map[store.Space]model{}
	for _, space := range []store.Space{
		0, 1, 2, 0xff, 0x100, 1 << 55, store.MaxSpace - 1, store.MaxSpace,
		store.Space(1).In(store.AreaSQL), store.Space(2).In(store.AreaSQL), store.MaxSpace.In(store.AreaQueue), store.MaxSpace.In(store.AreaBlobs),
	} {
		models[space] = model{}
	}
	spaces := make([]store.Space, 0, len(models))
	for space := range models {
		spaces = append(spaces, space)
	}
	slices.Sort(spaces)
	rapid.Check(t, func(t *rapid.T) {
		b.space = rapid.SampledFrom(spaces).Draw(t, "space")
		b.must(func(tx *store.Tx) error {
			for range rapid.IntRange(1, 6).Draw(t, "writes") {
				mutate(t, tx, models[b.space])
			}
			return nil
		})
		snap, err := b.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		defer snap.Release()
		for _, space := range spaces {
			b.space = space
			tx := b.begin()
			sameList(t, tx, models[space], store.Query{})
			sameList(t, tx, models[space], store.Query{Reverse: true})
			sameList(t, tx, models[space], anyQuery().Draw(t, "query"))
			key := hostileKey().Draw(t, "get")
			want, ok := models[space][string(key)]
			if data, found, err := tx.Get(key); err != nil || found != ok || string(data) != want {
				t.Fatalf("space %d: Get(%q) = %q, %v, %v; want %q, %v", space, key, data, found, err, want, ok)
			}
			tx.Close()
		}
	})
}

// testUsageModel compares the count the store keeps with what is there,
// counters and refused transactions included, and again after a restart.
func testUsageModel(t *testing.T, open Opener) {
	b := newBench(t, open, Options{Window: 8}) // forget often
	var spaces []store.Space
	rapid.Check(t, func(t *rapid.T) {
		b.space++
		spaces = append(spaces, b.space)
		for range rapid.IntRange(1, 12).Draw(t, "commits") {
			err := b.try(func(tx *store.Tx) error {
				for range rapid.IntRange(1, 4).Draw(t, "writes") {
					mutate(t, tx, model{})
				}
				return tx.Add(hostileKey().Draw(t, "counter"), 1)
			})
			if code := fault.CodeOf(err); code != "" && code != fault.Invalid {
				t.Fatal(err)
			}
		}
		b.recount()
	})
	b.reopen()
	for _, b.space = range spaces {
		b.recount()
	}
}

// recount checks the usage of the space against a count.
func (b *bench) recount() {
	b.Helper()
	tx := b.begin()
	defer tx.Close()
	var want store.Usage
	err := tx.List(store.Query{}, func(key, data []byte) bool {
		want.Keys++
		want.Bytes += int64(len(key) + len(data))
		return true
	})
	b.want("list", err, "")
	b.uses(want)
}

func testQuota(t *testing.T, open Opener) {
	b := newBench(t, open, Options{})
	b.quota = store.Quota{Keys: 2, Bytes: 10}
	set := func(key, value string) error {
		return b.try(func(tx *store.Tx) error { return tx.Set([]byte(key), []byte(value), 0) })
	}
	b.want("one byte too many", set("a", "1234567890"), fault.Exhausted)
	b.uses(store.Usage{})
	b.want("exactly full", set("a", "123456789"), "")
	b.uses(store.Usage{Keys: 1, Bytes: 10})
	b.want("empty value, but a key", set("b", ""), fault.Exhausted)
	b.want("counter over the quota", b.add("n", 1), fault.Exhausted)
	b.want("replace by as much", set("a", "987654321"), "")
	b.want("replace by less", set("a", "1"), "")
	b.want("second key", set("b", ""), "")
	b.want("third key", set("c", ""), fault.Exhausted)
	b.must(func(tx *store.Tx) error {
		return firstError(tx.Delete([]byte("a")), tx.Set([]byte("c"), nil, 0))
	})
	b.uses(store.Usage{Keys: 2, Bytes: 2})
	b.quota = store.Quota{Keys: 1, Bytes: 1} // lowered below what is there
	b.want("grow", set("b", "12"), fault.Exhausted)
	b.want("same", set("b", ""), "")
	b.delete("b")
	b.uses(store.Usage{Keys: 1, Bytes: 1})
	b.quota = store.Quota{}
	b.want("no quota", set("d", strings.Repeat("x", 1000)), "")
	other := b.space + 1
	b.space = other
	b.uses(store.Usage{})
}

// testSharedQuota: several spaces are held to one bound together, messages that wait too.
func testSharedQuota(t *testing.T, open Opener) {
	b := newBench(t, open, Options{})
	first, second, other := b.space, b.space+1, b.space+2
	shared := &store.Shared{Name: "shop", Bytes: 10, Spaces: []store.Space{first, second}}
	b.quota = store.Quota{Bytes: 100, Shared: shared}
	set := func(space store.Space, key, value string) error {
		b.space = space
		return b.try(func(tx *store.Tx) error { return tx.Set([]byte(key), []byte(value), 0) })
	}
	b.want("the first", set(first, "a", "12345"), "")
	b.want("one byte too many", set(second, "a", "1234"), fault.Exhausted)
	b.want("exactly full", set(second, "a", "123"), "")
	b.want("the first is full too", set(first, "a", "123456"), fault.Exhausted)
	b.want("less", set(first, "a", "1234"), "")
	b.want("which the second gets", set(second, "a", "1234"), "")
	err := set(second, "b", "")
	b.want("no more", err, fault.Exhausted)
	if text := fault.MessageOf(err); !strings.Contains(text, `team "shop" would hold 11 bytes together, its quota is 10`) {
		t.Errorf("the refusal says %q", text)
	}
	b.quota.Shared = &store.Shared{Name: "shop", Bytes: 11, Spaces: shared.Spaces}
	b.want("it was raised", set(second, "b", ""), "")
	b.quota.Shared = nil
	b.want("of no team", set(other, "a", "1234567890"), "")
}

// testQuotaLastByte lets many race for room that one of them fills.
func testQuotaLastByte(t *testing.T, open Opener) {
	b := newBench(t, open, Options{})
	b.set("base", "x")
	b.quota = store.Quota{Bytes: 5 + 3}
	var won atomic.Int64
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			err := b.try(func(tx *store.Tx) error { return tx.Set(fmt.Appendf(nil, "k%x", i), []byte("1"), 0) })
			switch fault.CodeOf(err) {
			case "":
				won.Add(1)
			case fault.Exhausted:
			default:
				t.Errorf("set: %v", err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d writers got the last bytes, want 1", won.Load())
	}
	b.uses(store.Usage{Keys: 2, Bytes: 8})
}

func testDrop(t *testing.T, open Opener) {
	b := newBench(t, open, Options{})
	doomed, kept := b.space, b.space+1
	for i := range 2500 { // more than one step of a sweep
		if i%500 == 0 {
			b.must(func(tx *store.Tx) error {
				for j := range 500 {
					if err := tx.Set(fmt.Appendf(nil, "k%05d", i+j), []byte("x"), time.Hour); err != nil {
						return err
					}
				}
				return nil
			})
		}
	}
	b.space = kept
	b.set("k", "kept")
	b.space = doomed
	before, late := b.begin(), b.begin()
	b.want("set", late.Set([]byte("k"), nil, 0), "")
	b.want("drop the host's space", b.Drop(context.Background(), 0), fault.Invalid)
	b.want("Drop", b.Drop(context.Background(), doomed), "")
	b.want("Drop again", b.Drop(context.Background(), doomed), "")
	if got := len(b.list(before, store.Query{})); got != 2500 {
		t.Errorf("an older snapshot lists %d keys, want 2500", got)
	}
	gone := func() {
		t.Helper()
		b.space = doomed
		b.lists(b.begin(), store.Query{})
		b.holds("k00000", absent)
		_, err := b.Usage(doomed)
		b.want("Usage", err, fault.NotFound)
		b.want("Commit", b.try(func(tx *store.Tx) error { return tx.Set([]byte("k"), nil, 0) }), fault.NotFound)
		b.space = kept
		b.holds("k", "kept")
		b.uses(store.Usage{Keys: 1, Bytes: 5})
	}
	b.want("commit to a dropped space", b.commit(late), fault.NotFound)
	gone()
	before.Close()
	b.reopen()
	gone()
}

func testRestart(t *testing.T, open Opener) {
	b := newBench(t, open, Options{})
	b.must(func(tx *store.Tx) error {
		return firstError(tx.Set([]byte("k"), []byte("v"), 0), tx.Set([]byte("ttl"), []byte("v"), time.Second),
			tx.Set([]byte("empty"), nil, 0), tx.Add([]byte("n"), 41), tx.Set([]byte("gone"), nil, 0))
	})
	b.delete("gone")
	b.want("add", b.add("n", 1), "")
	snap, err := b.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	before := snap.Revision()
	snap.Release()
	for range 2 {
		b.reopen()
		b.now = now
		b.lists(b.begin(), store.Query{}, "empty=", "k=v", "n="+counter(42), "ttl=v")
		b.uses(store.Usage{Keys: 4, Bytes: int64(len("k"+"v"+"ttl"+"v"+"empty"+"n") + 8)})
		b.now = now.Add(time.Second)
		b.holds("ttl", absent)
	}
	tx := b.begin()
	b.want("set", tx.Set([]byte("k"), []byte("w"), 0), "")
	tx.Close()
	rev, err := b.Commit(context.Background(), tx.Effects())
	b.want("commit", err, "")
	if rev <= before {
		t.Errorf("revision %d after a restart, was %d before", rev, before)
	}
	b.holds("k", "w")
	stale := b.begin()
	b.get(stale, "k")
	b.set("k", "x")
	b.want("set", stale.Set([]byte("k"), bytes.ToUpper([]byte("x")), 0), "")
	b.want("conflict after a restart", b.commit(stale), fault.Conflict)
}
