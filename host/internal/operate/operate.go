// Package operate answers an operator's questions: how plugins do, their versions,
// deployments and vars, who changed what, and what became of a request. It also
// reads and writes the keys of a plugin for one. It changes nothing of what
// serves, which is the task of package deploy. It answers in the types of package
// adminapi; package server/admin imports it.
package operate

import (
	"context"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/logs/ring"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/registry"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

// Deployer is what an Operator needs of a deploy.Deployer. Safe for concurrent
// use.
type Deployer interface {
	// Serving returns how the deployment of a plugin does; false = none serves.
	Serving(name string) (deploy.Serving, bool)
	// Rollout returns how the last roll-out of a plugin does or did; false = there was
	// none.
	Rollout(plugin.Plugin) (deploy.RolloutStatus, bool)
	// Requests returns the recent requests with an id, the oldest first.
	Requests(id string) []trace.Record
	// EndPreviews ends all previews of a plugin, and returns how many there were.
	EndPreviews(ctx context.Context, name, by string) (int, error)
}

// Operator answers an operator. Safe for concurrent use. Besides the codes named
// at each method, every one may return those of the store and Internal for a
// damaged record.
type Operator struct {
	store    store.Store
	registry *registry.Registry
	deployer Deployer
	rings    *ring.Folder
	clock    func() time.Time

	capabilities capability.List
}

// New returns an Operator of what is recorded, what serves and what was logged. It
// has nothing to close, and is of no use after st is closed.
func New(st store.Store, r *registry.Registry, d Deployer, rings *ring.Folder, clock func() time.Time, capabilities capability.List) *Operator {
	return &Operator{st, r, d, rings, clock, capabilities}
}
