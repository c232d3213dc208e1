package registry

import (
	"context"
	"fmt"

	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Delete ends a plugin: it has no deployment any more. Without purge its name,
// versions, vars, grant and key space are kept, and a later AddVersion of the
// name gets them back. With purge the name is free at once, and all of it is for
// Clean to remove. Errors: NotFound (also when it is deleted already and purge
// is false).
func (r *Registry) Delete(ctx context.Context, name string, purge bool, by string) error {
	r.changes.Lock()
	defer r.changes.Unlock()
	return r.change(ctx, func(tx *records) error {
		if purge {
			return tx.purge(name, by)
		}
		return tx.retire(name, by)
	})
}

// Clean removes the key spaces and records of purged plugins, and the modules
// no version names. What it could not remove (the store turned read-only, say)
// is for the next Clean or Open.
func (r *Registry) Clean(ctx context.Context) error {
	r.changes.Lock()
	defer r.changes.Unlock()
	return r.clean(ctx)
}

// clean removes what purges and crashes left. The caller holds r.changes.
func (r *Registry) clean(ctx context.Context) error {
	if err := r.finishPurges(ctx); err != nil {
		return err
	}
	if err := r.dropStrays(ctx); err != nil {
		return err
	}
	return r.removeOrphans()
}

func (tx *records) retire(name, by string) error {
	p, err := tx.live(name)
	if err != nil {
		return err
	}
	p.Deleted, p.Deployment, p.Active, p.Previous = true, 0, 0, p.Active
	if p.Rollout.Runs() {
		ended := *p.Rollout
		ended.Outcome, ended.Reason, ended.Ended = plugin.RollAbort, "the plugin was deleted", tx.now()
		p.Rollout = &ended
	}
	if err := tx.putPlugin(p); err != nil {
		return err
	}
	return tx.audit(plugin.Event{By: by, Action: plugin.ActionDelete, Plugin: name})
}

// purge frees the name and notes which key space is to be removed.
func (tx *records) purge(name, by string) error {
	p, err := tx.plugin(name)
	if err != nil {
		return err
	}
	if err := tx.Delete([]byte(prefixPlugin + name)); err != nil {
		return err
	}
	if err := put(tx, purgeKey(p.Space), newSpaceRecord(p.Space)); err != nil {
		return err
	}
	if p.Data != 0 {
		if err := put(tx, strayKey(p.Data), newSpaceRecord(p.Data)); err != nil {
			return err
		}
	}
	return tx.audit(plugin.Event{By: by, Action: plugin.ActionPurge, Plugin: name})
}

func purgeKey(space uint64) string { return fmt.Sprintf("%s%016x", prefixPurge, space) }

// finishPurges removes the key spaces and the records of purged plugins.
func (r *Registry) finishPurges(ctx context.Context) error {
	var spaces []uint64
	err := r.view(func(tx *records) error {
		return list[spaceRecord](tx, prefixPurge, func(space uint64) bool {
			spaces = append(spaces, space)
			return true
		})
	})
	for _, space := range spaces {
		if err == nil {
			err = r.finishPurge(ctx, space)
		}
	}
	return err
}

func (r *Registry) finishPurge(ctx context.Context, space uint64) error {
	if err := r.store.Drop(ctx, store.Space(space)); err != nil {
		return err
	}
	for _, prefix := range []string{below(prefixHold, space), below(prefixKey, space), below(prefixSecret, space), below(prefixVersion, space), below(prefixManifest, space), below(prefixDeployment, space)} {
		if err := r.removeBelow(ctx, prefix); err != nil {
			return err
		}
	}
	return r.change(ctx, func(tx *records) error { return tx.Delete([]byte(purgeKey(space))) })
}

// removeStep is how many records one commit removes; store.MaxEffectOps bounds it.
const removeStep = 1000

// removeBelow removes every record below prefix, some per commit.
func (r *Registry) removeBelow(ctx context.Context, prefix string) error {
	for {
		n := 0
		err := r.change(ctx, func(tx *records) (err error) {
			n, err = tx.removeSome(prefix)
			return err
		})
		if err != nil || n < removeStep {
			return err
		}
	}
}

func (tx *records) removeSome(prefix string) (int, error) {
	var keys [][]byte
	err := tx.List(store.Query{Prefix: []byte(prefix), Limit: removeStep}, func(key, _ []byte) bool {
		keys = append(keys, append([]byte(nil), key...))
		return true
	})
	for _, key := range keys {
		if err == nil {
			err = tx.Delete(key)
		}
	}
	return len(keys), err
}

// removeOrphans removes the modules no version names.
func (r *Registry) removeOrphans() error {
	named, used, err := r.named()
	if err != nil || !used {
		// A store that never had a plugin has lost its records, or was put next
		// to another's modules: they are not its to remove.
		return err
	}
	return r.modules.Keep(named)
}

// Digests returns the digests of all versions; nil if there never was one.
func (r *Registry) Digests() (map[plugin.Digest]bool, error) {
	named, used, err := r.named()
	if !used {
		named = nil
	}
	return named, err
}

// DigestsAt is Digests as of a snapshot, which it does not release.
func (r *Registry) DigestsAt(snap store.Snapshot) (map[plugin.Digest]bool, error) {
	named, _, err := (&records{
		Tx: store.Begin(kept{snap}, hostSpace, store.Quota{}, r.clock()), snap: snap, capabilities: r.capabilities,
	}).named()
	return named, err
}

// kept is a snapshot whose owner releases it.
type kept struct{ store.Snapshot }

// Release does nothing.
func (kept) Release() {}

// named returns the digests of every version, and whether there ever was one.
func (r *Registry) named() (named map[plugin.Digest]bool, used bool, err error) {
	err = r.view(func(tx *records) error {
		named, used, err = tx.named()
		return err
	})
	return named, used, err
}

func (tx *records) named() (named map[plugin.Digest]bool, used bool, err error) {
	named = map[plugin.Digest]bool{}
	if _, used, err = get[spaceRecord](tx, keySpaces); err != nil {
		return nil, used, err
	}
	err = list[versionRecord](tx, prefixVersion, func(v plugin.Version) bool {
		named[v.Digest] = true
		return true
	})
	return named, used, err
}
