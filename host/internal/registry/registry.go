// Package registry keeps what is installed: plugins, their versions and
// deployments, who changed what, and the modules by digest. Records live in the
// store's space 0 as JSON (format.go); modules are files. Package deploy decides what is
// activated; it and what is above it may import this package.
//
// Each change is one commit: a crash at any point leaves the state before it or
// after it. Open removes other remains of a crash: modules that nobody names, records
// of a purged plugin.
package registry

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/audit"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/module"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/secret"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Registry is the record of everything installed. Safe for concurrent use.
// Besides the codes named at each method, every method may return those of the
// store (Unavailable, Exhausted, Unknown) and Internal for a damaged record.
type Registry struct {
	store        store.Store
	modules      *module.Folder
	clock        func() time.Time
	capabilities capability.List
	keep         Retention
	ring         *secret.Ring
	audited      func(Audited)
	shared       func(plugin string) *store.Shared

	// changes serialises changes of this process: a module is written, named by
	// a commit and removed under it. Commits are certified all the same, against
	// other processes that may share the store one day.
	changes sync.Mutex
	staged  map[uint64]bool // key spaces of Stage; under changes
}

// Open returns the registry of what st holds, with its modules in dir, which it
// makes if need be (mode 0700). It finishes what a crash interrupted. The caller
// closes st after the last use of the registry. capabilities are what manifests
// may ask for and grants may hold. Errors: Internal when dir cannot
// be used.
func Open(ctx context.Context, st store.Store, dir string, clock func() time.Time, capabilities capability.List) (*Registry, error) {
	m, err := module.Open(dir)
	if err != nil {
		return nil, err
	}
	r := &Registry{store: st, modules: m, clock: clock, capabilities: capabilities, ring: secret.Ephemeral(), staged: map[uint64]bool{}}
	if err := r.recover(ctx); err != nil {
		return nil, err
	}
	return r, nil
}

// recover finishes purges and removes modules no version names. A store that
// cannot write now leaves both for the next Open: reading works without.
func (r *Registry) recover(ctx context.Context) error {
	r.changes.Lock()
	defer r.changes.Unlock()
	err := r.clean(ctx)
	switch fault.CodeOf(err) {
	case fault.Unavailable, fault.Exhausted:
		return nil
	}
	return err
}

// Plugins returns every plugin by name, deleted ones included: those have
// Deleted set, no deployment, and keep their name and data until a purge.
func (r *Registry) Plugins(context.Context) ([]plugin.Plugin, error) {
	var all []plugin.Plugin
	err := r.view(func(tx *records) error {
		err := list[pluginRecord](tx, prefixPlugin, func(p plugin.Plugin) bool {
			all = append(all, p)
			return true
		})
		for i := range all {
			if err == nil {
				err = tx.unseal(&all[i])
			}
		}
		return err
	})
	return all, err
}

// Plugin returns the plugin of that name, a deleted one too. Errors: NotFound.
func (r *Registry) Plugin(_ context.Context, name string) (plugin.Plugin, error) {
	var p plugin.Plugin
	err := r.view(func(tx *records) (err error) {
		p, err = tx.plugin(name)
		return err
	})
	return p, err
}

// Installed is Plugin for one that is not deleted.
func (r *Registry) Installed(_ context.Context, name string) (plugin.Plugin, error) {
	var p plugin.Plugin
	err := r.view(func(tx *records) (err error) {
		p, err = tx.live(name)
		return err
	})
	return p, err
}

// view runs read on one snapshot.
func (r *Registry) view(read func(tx *records) error) error {
	tx, err := r.begin()
	if err != nil {
		return err
	}
	defer tx.Close()
	return read(tx)
}

// maxAttempts bounds how often a change is repeated after a conflict.
const maxAttempts = 16

// change runs write on a snapshot and commits what it wrote; after a conflict
// again, on a new snapshot. Write must have no other effect. The caller holds
// r.changes.
func (r *Registry) change(ctx context.Context, write func(tx *records) error) error {
	for attempt := 1; ; attempt++ {
		conflict, err := r.attempt(ctx, write)
		if !conflict || attempt == maxAttempts {
			return err
		}
	}
}

func (r *Registry) attempt(ctx context.Context, write func(tx *records) error) (conflict bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, fault.Wrap(fault.Unavailable, "change the registry", "the request was given up", err)
	}
	tx, err := r.begin()
	if err != nil {
		return false, err
	}
	defer tx.Close()
	tx.actor = audit.ActorOf(ctx)
	if err := write(tx); err != nil {
		return false, err
	}
	if tx.ReadOnly() {
		return false, nil
	}
	*tx.committed, err = r.store.Commit(ctx, tx.effects())
	if err == nil && r.audited != nil {
		for _, e := range tx.audited {
			r.audited(e)
		}
	}
	return fault.CodeOf(err) == fault.Conflict, err
}

func (r *Registry) begin() (*records, error) {
	snap, err := r.store.Snapshot()
	if err != nil {
		return nil, err
	}
	return &records{Tx: store.Begin(snap, hostSpace, store.Quota{}, r.clock()), snap: snap, capabilities: r.capabilities, ring: r.ring, committed: new(store.Revision)}, nil
}

func noPlugin(name string) error {
	return fault.New(fault.NotFound, "", fmt.Sprintf("no plugin is named %q; list them with: wasmoor list", name))
}
