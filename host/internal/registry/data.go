package registry

import (
	"cmp"
	"context"
	"fmt"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// prefixStray is that of the key spaces that no plugin has: data is being brought into
// them, or other data was put in their place.
const prefixStray = "registry/stray/" // SPACE: spaceRecord

func strayKey(space uint64) string { return fmt.Sprintf("%s%016x", prefixStray, space) }

// Data says which key space has the data of a plugin from a change on, and what the audit
// is told of that.
type Data struct {
	Space  uint64 // one that Stage has made
	Action plugin.Action
	Detail string
	Empty  bool // the data before has to be empty: see store.Empty
}

// HasData is the error for a plugin that has data where it should have none.
func HasData(name string) error {
	return fault.New(fault.Conflict, "", fmt.Sprintf("plugin %q has data already; it is removed if you say so with --replace", name))
}

// Stage makes a key space for data that is brought in. Nobody sees what is in it before a
// Change puts it in place, with Change.Data. Unstage it; a crash does so as well.
func (r *Registry) Stage(ctx context.Context) (space uint64, err error) {
	r.changes.Lock()
	defer r.changes.Unlock()
	err = r.change(ctx, func(tx *records) (err error) {
		space, err = tx.newSpace()
		return cmp.Or(err, put(tx, strayKey(space), newSpaceRecord(space)))
	})
	if err == nil {
		r.staged[space] = true
	}
	return space, err
}

// Unstage ends a Stage: a key space that was put in place is the plugin's, and another is
// removed.
func (r *Registry) Unstage(ctx context.Context, space uint64) error {
	r.changes.Lock()
	defer r.changes.Unlock()
	delete(r.staged, space)
	return r.dropStrays(ctx)
}

// dropStrays removes what no plugin has, but what is staged. The caller holds r.changes.
func (r *Registry) dropStrays(ctx context.Context) error {
	var strays []uint64
	err := r.view(func(tx *records) error {
		return list[spaceRecord](tx, prefixStray, func(space uint64) bool {
			if !r.staged[space] {
				strays = append(strays, space)
			}
			return true
		})
	})
	for _, space := range strays {
		if err == nil {
			err = r.store.Drop(ctx, store.Space(space))
		}
		if err == nil {
			err = r.change(ctx, func(tx *records) error { return tx.Delete([]byte(strayKey(space))) })
		}
	}
	return err
}

// moveData notes which key space is a plugin's no more, and that another one is.
func (tx *records) moveData(before, next plugin.Plugin) error {
	if before.Keys() == next.Keys() {
		return nil
	}
	if empty, err := store.Empty(tx.snap, store.Space(before.Keys())); err != nil || tx.data.Empty && !empty {
		return cmp.Or(err, HasData(before.Name))
	}
	if _, there, err := get[spaceRecord](tx, strayKey(next.Keys())); err != nil || !there {
		return cmp.Or(err, error(fault.New(fault.Conflict, "", "the data that was brought in was removed meanwhile; bring it in again")))
	}
	if err := tx.Delete([]byte(strayKey(next.Keys()))); err != nil {
		return err
	}
	return put(tx, strayKey(before.Keys()), newSpaceRecord(before.Keys()))
}
