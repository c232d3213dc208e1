package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// testCopy fills a new space with all areas of another, over more than one
// commit, and then moves what points at it.
func testCopy(t *testing.T, open Opener) {
	b := newBench(t, open, Options{})
	h, all := b.history(mix{clients: 4, each: 100})
	w := h.replay(all)
	large := make([]byte, store.MaxValue)
	for i := range 9 { // more than a commit holds
		key := fmt.Appendf(nil, "large%d", i)
		b.must(func(tx *store.Tx) error {
			return firstError(tx.Set(key, large, 0), tx.SetRecord(key, large, time.Hour))
		})
	}
	from, to := b.space, store.Space(5000)
	b.want("Copy", store.Copy(t.Context(), b.Store, from, to), "")
	b.set("later", "is not copied")
	copied := world{}
	for _, area := range store.Areas() {
		if w[from.In(area)] == nil {
			continue
		}
		copied[to.In(area)] = w[from.In(area)]
		if area == store.AreaKV || area == store.AreaRecords {
			for i := range 9 {
				v := store.Value{Data: large}
				if area == store.AreaRecords {
					v.Expires = b.now.Add(time.Hour).UnixMilli()
				}
				copied[to.In(area)][fmt.Sprintf("large%d", i)] = v
			}
		}
	}
	if len(copied) < 3 {
		t.Fatalf("only %d areas are in use", len(copied))
	}
	copied.matches(b)
	b.want("copy over what is there", store.Copy(t.Context(), b.Store, from, to), fault.Invalid)
	b.want("copy to a dropped space", b.Drop(t.Context(), 5001), "")
	b.want("copy to a dropped space", store.Copy(t.Context(), b.Store, from, 5001), fault.NotFound)
	given, cancel := context.WithCancel(t.Context())
	cancel()
	b.want("copy that is given up", store.Copy(given, b.Store, from, 5002), fault.Deadline)

	b.space = 0 // where the host notes which space a plugin has
	b.set("plugin", "5000")
	b.want("Drop", b.Drop(t.Context(), from), "")
	b.reopen()
	copied.matches(b)
	b.holds("plugin", "5000")
}
