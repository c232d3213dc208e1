package registry

import (
	"context"
	"fmt"

	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Retention is how many of the newest records are kept; 0 = all.
type Retention struct {
	Versions    int // of each plugin; the one that serves and the one before stay too
	Deployments int // of each plugin
	Events      int // of the audit
}

// Pruned is how many records were removed, or would be.
type Pruned struct{ Versions, Deployments, Events int }

// none reports that nothing is to be removed.
func (p Pruned) none() bool { return p == Pruned{} }

// Prune removes the oldest versions with their manifests and modules, deployments
// and events beyond keep; name is that of the one plugin, "" = of all, and then the
// audit too. With dry it only counts. A crash leaves some of it for the next time.
// Errors: NotFound (plugin).
func (r *Registry) Prune(ctx context.Context, name string, keep Retention, dry bool, by string) (Pruned, error) {
	r.changes.Lock()
	defer r.changes.Unlock()
	if name != "" {
		keep.Events = 0
	}
	keys, pruned, err := r.outdated(name, keep)
	if err != nil || dry || pruned.none() {
		return pruned, err
	}
	if err := r.remove(ctx, keys); err != nil {
		return pruned, err
	}
	err = r.change(ctx, func(tx *records) error {
		return tx.audit(plugin.Event{By: by, Action: plugin.ActionPrune, Plugin: name, Detail: fmt.Sprintf(
			"%d versions, %d deployments, %d events", pruned.Versions, pruned.Deployments, pruned.Events)})
	})
	if err != nil {
		return pruned, err
	}
	return pruned, r.removeOrphans()
}

// Retain has every change of a plugin remove what is then beyond keep, of the plugin
// and of the audit. Call it before the first change.
func (r *Registry) Retain(keep Retention) { r.keep = keep }

// retained does so after a change. What it cannot remove is for the next change. The
// caller holds r.changes.
func (r *Registry) retained(ctx context.Context, name string) {
	if r.keep == (Retention{}) {
		return
	}
	keys, pruned, err := r.outdated(name, r.keep)
	if err == nil && len(keys) > 0 {
		err = r.remove(ctx, keys)
	}
	if err == nil && pruned.Versions > 0 {
		_ = r.removeOrphans()
	}
}

// remove removes records, some per commit.
func (r *Registry) remove(ctx context.Context, keys []string) error {
	for len(keys) > 0 {
		some := keys[:min(len(keys), removeStep)]
		keys = keys[len(some):]
		if err := r.change(ctx, func(tx *records) error { return tx.remove(some) }); err != nil {
			return err
		}
	}
	return nil
}

func (tx *records) remove(keys []string) error {
	for _, key := range keys {
		if err := tx.Delete([]byte(key)); err != nil {
			return err
		}
	}
	return nil
}

// outdated returns the keys of what is beyond keep.
func (r *Registry) outdated(name string, keep Retention) (keys []string, pruned Pruned, err error) {
	err = r.view(func(tx *records) error {
		var plugins []plugin.Plugin
		if name != "" {
			p, err := tx.plugin(name)
			if err != nil {
				return err
			}
			plugins = append(plugins, p)
		} else {
			err := list[pluginRecord](tx, prefixPlugin, func(p plugin.Plugin) bool { plugins = append(plugins, p); return true })
			if err != nil {
				return err
			}
		}
		for _, p := range plugins {
			if keys, err = tx.outdatedOf(p, keep, keys, &pruned); err != nil {
				return err
			}
		}
		keys, err = tx.outdatedEvents(keep, keys, &pruned)
		return err
	})
	return keys, pruned, err
}

// outdatedOf appends the keys of what is beyond keep of a plugin, and counts.
func (tx *records) outdatedOf(p plugin.Plugin, keep Retention, keys []string, pruned *Pruned) ([]string, error) {
	if keep.Versions > 0 {
		err := list[versionRecord](tx, below(prefixVersion, p.Space), func(v plugin.Version) bool {
			if v.Number > p.Versions-keep.Versions {
				return false
			}
			if v.Number != p.Active && v.Number != p.Previous {
				keys = append(keys, numbered(prefixVersion, p.Space, v.Number), numbered(prefixManifest, p.Space, v.Number))
				pruned.Versions++
			}
			return true
		})
		if err != nil {
			return keys, err
		}
	}
	last, _, err := newest[deploymentRecord](tx, below(prefixDeployment, p.Space))
	if err != nil || keep.Deployments == 0 {
		return keys, err
	}
	err = list[deploymentRecord](tx, below(prefixDeployment, p.Space), func(d plugin.Deployment) bool {
		if d.Number > last.Number-keep.Deployments {
			return false
		}
		keys = append(keys, numbered(prefixDeployment, p.Space, d.Number))
		pruned.Deployments++
		return true
	})
	return keys, err
}

// outdatedEvents does the same for the audit.
func (tx *records) outdatedEvents(keep Retention, keys []string, pruned *Pruned) ([]string, error) {
	last, _, err := newest[eventRecord](tx, prefixAudit)
	if err != nil || keep.Events == 0 || last.Number <= uint64(keep.Events) {
		return keys, err
	}
	end := string(auditKey(last.Number - uint64(keep.Events) + 1))
	err = tx.List(store.Query{Prefix: []byte(prefixAudit)}, func(key, _ []byte) bool {
		if string(key) >= end {
			return false
		}
		keys = append(keys, string(key))
		pruned.Events++
		return true
	})
	return keys, err
}
