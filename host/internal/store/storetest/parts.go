package storetest

import (
	"context"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// part is a part that sets keys of a space to "v".
func part(space store.Space, keys ...string) store.Part {
	p := store.Part{Space: space}
	for _, key := range keys {
		p.Ops = append(p.Ops, store.Op{Kind: store.OpSet, Key: []byte(key), Value: store.Value{Data: []byte("v")}})
	}
	return p
}

// revision returns that of the newest snapshot.
func (b *bench) revision() store.Revision {
	b.Helper()
	tx := b.begin()
	defer tx.Close()
	return tx.Effects().Read
}

// parts commits parts that read at a revision.
func (b *bench) parts(read store.Revision, parts ...store.Part) error {
	_, err := b.Commit(context.Background(), &store.Effects{Read: read, Now: b.now, Parts: parts})
	return err
}

// has checks which of a key of each space is there.
func (b *bench) has(key string, want bool, spaces ...store.Space) {
	b.Helper()
	snap, err := b.Snapshot()
	if err != nil {
		b.Fatal(err)
	}
	defer snap.Release()
	for _, space := range spaces {
		if _, ok, err := snap.Get(space, []byte(key)); err != nil || ok != want {
			b.Fatalf("%q of space %#x: %v, %v; want %v", key, uint64(space), ok, err, want)
		}
	}
}

// testParts: the parts of a commit happen together or not at all.
func testParts(t *testing.T, open Opener) {
	b := newBench(t, open, Options{})
	one, two, three := b.space, b.space+1, b.space+2
	all := []store.Space{one, two, three}
	b.want("commit", b.parts(b.revision(), part(one, "a"), part(two, "a"), part(three, "a")), "")
	b.has("a", true, all...)

	read := b.revision()
	b.want("a write to what the second part read", b.parts(read, part(two, "k")), "")
	reader := part(two, "b")
	reader.Keys = [][]byte{[]byte("k")}
	b.want("conflict of the second", b.parts(read, part(one, "b"), reader, part(three, "b")), fault.Conflict)
	full := part(three, "b")
	full.Quota.Keys = 1
	b.want("quota of the third", b.parts(read, part(one, "b"), part(two, "b"), full), fault.Exhausted)
	counter := store.Part{Space: two, Ops: []store.Op{{Kind: store.OpAdd, Key: []byte("a"), Delta: 1}}}
	b.want("an add to what is no counter", b.parts(read, part(one, "b"), counter), fault.Invalid)
	b.want("Drop", b.Drop(context.Background(), three), "")
	b.want("the third is dropped", b.parts(read, part(one, "b"), part(two, "b"), part(three, "b")), fault.NotFound)
	b.has("b", false, all...)
	b.uses(store.Usage{Keys: 1, Bytes: 2})
	b.want("as many as there may be, one dropped", b.parts(b.revision(), manyParts(store.MaxParts)...), fault.NotFound)
	parts := manyParts(store.MaxParts + int(three))[three:]
	b.want("as many as there may be", b.parts(b.revision(), parts...), "")
}

// testAreas: an area has keys of its own; all of a space are dropped together, and
// all but the queue are counted and held to one quota together.
func testAreas(t *testing.T, open Opener) {
	b := newBench(t, open, Options{})
	var areas []store.Space
	var parts []store.Part
	for _, a := range store.Areas() {
		areas = append(areas, b.space.In(a))
		if a != store.AreaRecords {
			parts = append(parts, part(b.space.In(a), "k"))
		}
	}
	parts[0].Records = part(0, "k").Ops
	b.want("commit", b.parts(b.revision(), parts...), "")
	b.has("k", true, areas...)
	all := int64(len(areas)) - 1 // the queue is counted apart
	b.uses(store.Usage{Keys: all, Bytes: 2 * all})
	if u, err := b.Usage(b.space.In(store.AreaQueue)); err != nil || u != (store.Usage{Keys: 1, Bytes: 2}) {
		t.Errorf("the queue holds %+v, %v", u, err)
	}

	b.want("in one area", b.parts(b.revision(), part(b.space.In(store.AreaSQL), "only")), "")
	b.has("only", true, b.space.In(store.AreaSQL))
	b.has("only", false, b.space, b.space.In(store.AreaQueue), (b.space + 1).In(store.AreaSQL))

	// The quota of a part bounds what the other parts of its space add.
	quota := part(b.space, "k")
	quota.Quota.Keys = all + 1
	b.want("over the quota", b.parts(b.revision(), quota, part(b.space.In(store.AreaBlobs), "more")), fault.Exhausted)

	queue := part(b.space.In(store.AreaQueue), "k2")
	queue.Quota.Keys = 1
	b.want("the queue over its own", b.parts(b.revision(), part(b.space, "k"), queue), fault.Exhausted)
	quota.Quota.Keys, queue.Quota.Keys = all+1, 2
	b.want("both within their own", b.parts(b.revision(), quota, queue), "")

	// A range is read in its area alone.
	read := b.revision()
	b.want("a write to another area", b.parts(read, part(b.space.In(store.AreaQueue), "m")), "")
	reader := part(b.space.In(store.AreaSQL), "page")
	reader.Ranges = []store.Range{{From: []byte{}}}
	b.want("no conflict", b.parts(read, reader), "")
	b.want("a conflict", b.parts(read, reader), fault.Conflict)

	b.want("drop an area", b.Drop(context.Background(), b.space.In(store.AreaSQL)), fault.Invalid)
	b.want("Drop", b.Drop(context.Background(), b.space), "")
	b.has("k", false, areas...)
	_, err := b.Usage(b.space.In(store.AreaQueue))
	b.want("Usage of the queue", err, fault.NotFound)
	b.want("commit to an area", b.parts(b.revision(), part(b.space.In(store.AreaSQL), "k")), fault.NotFound)
	b.reopen()
	b.has("k", false, areas...)
	b.has("only", false, areas...)
}
