package registry

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// Retention is how many of the newest records are kept; 0 = all.
type Retention struct {
	Versions    int           // of each plugin; the one that serves, the one before, those of a roll-out and pinned ones stay too
	VersionsAge time.Duration // how old the others may be; the newest stays
	Deployments int           // of each plugin
	Events      int           // of the audit
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
	old, err := r.outdated(name, keep)
	if err != nil || dry || old.none() {
		return old.Pruned, err
	}
	// The event comes first: nothing is removed that the audit does not tell of.
	err = r.change(ctx, func(tx *records) error {
		return tx.audit(plugin.Event{By: by, Action: plugin.ActionPrune, Plugin: name, Detail: fmt.Sprintf(
			"%d versions, %d deployments, %d events", old.Versions, old.Deployments, old.Events)})
	})
	if err == nil {
		err = r.remove(ctx, old)
	}
	if err != nil {
		return old.Pruned, err
	}
	return old.Pruned, r.removeOrphans()
}

// outdated is what is beyond a Retention.
type outdated struct {
	Pruned
	keys   []string // of all but events
	events uint64   // the number of the last event of it
}

// Retain has every change of a plugin remove what is then beyond keep, of the plugin
// and of the audit.
func (r *Registry) Retain(keep Retention) {
	r.changes.Lock()
	defer r.changes.Unlock()
	r.keep = keep
}

// retained does so after a change. What it cannot remove is for the next change. The
// caller holds r.changes.
func (r *Registry) retained(ctx context.Context, name string) {
	if r.keep == (Retention{}) {
		return
	}
	old, err := r.outdated(name, r.keep)
	if err == nil && !old.none() {
		err = r.remove(ctx, old)
	}
	if err == nil && old.Versions > 0 {
		_ = r.removeOrphans()
	}
}

// remove removes records, some per commit.
func (r *Registry) remove(ctx context.Context, old outdated) error {
	for keys := old.keys; len(keys) > 0; {
		some := keys[:min(len(keys), removeStep)]
		keys = keys[len(some):]
		if err := r.change(ctx, func(tx *records) error { return tx.remove(some) }); err != nil {
			return err
		}
	}
	for more := old.Events > 0; more; {
		err := r.change(ctx, func(tx *records) (err error) {
			more, err = tx.forget(old.events)
			return err
		})
		if err != nil {
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

// outdated finds what is beyond keep.
func (r *Registry) outdated(name string, keep Retention) (old outdated, err error) {
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
			if old.keys, err = tx.outdatedOf(p, keep, old.keys, &old.Pruned); err != nil {
				return err
			}
		}
		return tx.outdatedEvents(keep, &old)
	})
	return old, err
}

// outdatedOf appends the keys of what is beyond keep of a plugin, and counts.
func (tx *records) outdatedOf(p plugin.Plugin, keep Retention, keys []string, pruned *Pruned) ([]string, error) {
	if keep.Versions > 0 || keep.VersionsAge > 0 {
		err := list[versionRecord](tx, below(prefixVersion, p.Space), func(v plugin.Version) bool {
			if !keep.drops(p, v, tx.now()) {
				return v.Number < p.Versions
			}
			if !protected(p, v.Number) {
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

// drops reports whether a version is beyond keep.
func (keep Retention) drops(p plugin.Plugin, v plugin.Version, now time.Time) bool {
	many := keep.Versions > 0 && v.Number <= p.Versions-keep.Versions
	old := keep.VersionsAge > 0 && v.Number < p.Versions && now.Sub(v.Created) > keep.VersionsAge
	return many || old
}

// protected reports whether a version is kept whatever the rules say.
func protected(p plugin.Plugin, version int) bool {
	if version == p.Active || version == p.Previous || slices.Contains(p.Pins, version) {
		return true
	}
	return p.Rollout.Runs() && (version == p.Rollout.From || version == p.Rollout.To)
}

// outdatedEvents does the same for the audit.
func (tx *records) outdatedEvents(keep Retention, old *outdated) error {
	c, err := tx.chain()
	if err != nil || keep.Events == 0 || c.end.Number <= uint64(keep.Events) {
		return err
	}
	old.events = c.end.Number - uint64(keep.Events)
	old.Events = int(max(old.events, c.begin.Number) - c.begin.Number)
	return nil
}
