package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// testPublished: Effects.Published is called once for each commit, in the order of the
// revisions, when a snapshot shows the commit and before its caller is told; and not for
// what is refused or writes nothing.
func testPublished(t *testing.T, open Opener) {
	b := newBench(t, open, Options{})
	var mu sync.Mutex
	var told []store.Revision
	commit := func(f func(tx *store.Tx) error) (store.Revision, error) {
		var tx store.Tx
		tx.Reset(b.Store, b.space, store.Quota{}, b.now)
		defer tx.Close()
		if err := f(&tx); err != nil {
			t.Error(err)
		}
		e := tx.Effects()
		called := false
		e.Published = func(at store.Revision) {
			snap, err := b.Snapshot()
			if err != nil || snap.Revision() < at {
				t.Errorf("told of %d when a snapshot shows %v, %v", at, snap, err)
			}
			snap.Release()
			mu.Lock()
			defer mu.Unlock()
			told = append(told, at)
			called = true
		}
		at, err := b.Commit(context.Background(), e)
		if writes := !e.ReadOnly(); called != (writes && err == nil) {
			t.Errorf("a commit that ends with %v, and writes %v, was told of: %v", err, writes, called)
		}
		return at, err
	}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 20 {
				if _, err := commit(func(tx *store.Tx) error { return tx.Set(fmt.Appendf(nil, "%d %d", i, j), nil, 0) }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for i := range told {
		if i > 0 && told[i-1] >= told[i] {
			t.Fatalf("told of %d after %d", told[i], told[i-1])
		}
	}
	if len(told) != 160 {
		t.Errorf("told of %d commits", len(told))
	}
	_, _ = commit(func(tx *store.Tx) error { _, _, err := tx.Get([]byte("k")); return err })
	_, err := commit(func(tx *store.Tx) error {
		if _, _, err := tx.Get([]byte("k")); err != nil {
			return err
		}
		b.set("k", "meanwhile")
		return tx.Set([]byte("k"), nil, 0)
	})
	b.want("a conflict", err, fault.Conflict)
}
