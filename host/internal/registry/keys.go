package registry

import (
	"context"

	"github.com/wasmoor/wasmoor/host/internal/capability/kv"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// ChangeKeys runs act on the key space of a plugin, the kept one of a deleted
// plugin included, and commits what it writes together with the event it
// returns; after a conflict again, on a new snapshot. Errors: NotFound (plugin),
// those of act, Exhausted (the plugin's quota).
func (r *Registry) ChangeKeys(ctx context.Context, name string, act func(*store.Tx) (plugin.Event, error)) error {
	r.changes.Lock()
	defer r.changes.Unlock()
	defer r.retained(ctx, name)
	return r.change(ctx, func(tx *records) error {
		p, err := tx.plugin(name)
		if err != nil {
			return err
		}
		keys := store.Begin(lent{tx.snap}, store.Space(p.Space), kv.Quota(p.Grant), tx.Now())
		defer keys.Close()
		e, err := act(keys)
		if err != nil {
			return err
		}
		tx.keys = &keys.Effects().Parts[0]
		return tx.audit(e)
	})
}

// lent is a snapshot that another transaction releases.
type lent struct{ store.Snapshot }

func (lent) Release() {}
