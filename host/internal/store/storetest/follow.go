package storetest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/store"
)

// testFollow: all that is committed after a snapshot is passed on, in order, to whoever
// followed when it was opened, and can be read more than once.
func testFollow(t *testing.T, open Opener) {
	b := newBench(t, open, Options{})
	b.set("before", "x")
	f := b.Follow()
	defer f.Close()
	snap, err := b.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	from := snap.Revision()
	snap.Release()
	var want []string
	for i := range 50 {
		key := fmt.Sprintf("k%02d", i)
		b.set(key, "x")
		want = append(want, key)
	}
	b.must(func(tx *store.Tx) error { return setRecord(tx, "r", "x") })
	want = append(want, "record r")
	b.want("Drop", b.Drop(context.Background(), b.space), "")
	want = append(want, "drop")
	var got []string
	last := from
	for end := time.Now().Add(time.Minute); len(got) < len(want); {
		select {
		case <-f.Changed():
		case <-time.After(time.Until(end)):
			t.Fatalf("%d of %d changes were passed on: %q", len(got), len(want), got)
		}
		groups, lost := f.Take()
		if lost != 0 {
			t.Errorf("changes up to %d are lost", lost)
		}
		for _, g := range groups {
			if g.Revision <= from {
				continue
			}
			if g.Revision <= last {
				t.Errorf("after %d came %d", last, g.Revision)
			}
			last = g.Revision
			first := b.passed(&g)
			if again := b.passed(&g); !slices.Equal(first, again) {
				t.Errorf("a group tells %q, and then %q", first, again)
			}
			got = append(got, first...)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("passed on %q, want %q", got, want)
	}
	f.Close()
	f.Close()
	b.want("another space", b.Drop(context.Background(), b.space+1), "")
	if groups, _ := f.Take(); len(groups) > 0 {
		t.Errorf("after Close came %d groups", len(groups))
	}
}

// passed is what a group tells of the space.
func (b *bench) passed(g *store.Group) (list []string) {
	for space, key := range g.Changed {
		switch space {
		case b.space:
			list = append(list, string(key))
		case b.space.In(store.AreaRecords):
			list = append(list, "record "+string(key))
		}
	}
	if slices.Contains(g.Dropped, b.space) {
		list = append(list, "drop")
	}
	return list
}
