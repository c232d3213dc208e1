package registry

import (
	"context"

	"github.com/wasmoor/wasmoor/host/internal/capability/kv"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// ShareKeys has f say what the key space of a plugin shares with others. Call it before
// the first change.
func (r *Registry) ShareKeys(f func(plugin string) *store.Shared) { r.shared = f }

// ChangeKeys runs act on the key space of a plugin, the kept one of a deleted
// plugin included, and commits what it writes together with the event it
// returns; after a conflict again, on a new snapshot. It returns the revision of the commit,
// 0 = nothing changes. Errors: NotFound (plugin), those of act, Exhausted (a quota).
func (r *Registry) ChangeKeys(ctx context.Context, name string, act func(*store.Tx) (plugin.Event, error)) (at store.Revision, err error) {
	r.changes.Lock()
	defer r.changes.Unlock()
	defer r.retained(ctx, name)
	err = r.change(ctx, func(tx *records) error {
		tx.committed = &at
		p, err := tx.plugin(name)
		if err != nil {
			return err
		}
		quota := kv.Quota(p.Grant)
		if r.shared != nil {
			quota.Shared = r.shared(name)
		}
		keys := store.Begin(lent{tx.snap}, store.Space(p.Keys()), quota, tx.Now())
		defer keys.Close()
		e, err := act(keys)
		if err != nil || e.Action == "" { // nothing changes
			return err
		}
		tx.keys = keys.Effects().Parts
		return tx.audit(e)
	})
	return at, err
}

// lent is a snapshot that another transaction releases.
type lent struct{ store.Snapshot }

func (lent) Release() {}
