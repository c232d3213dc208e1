// Package transfer moves the data of plugins: it counts what they have, and brings it
// out and in, by keys or whole. Package host opens it for the admin API.
package transfer

import (
	"context"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/registry"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Service moves data. Safe for concurrent use. Errors are faults; besides the codes
// named at each method, every one may return those of the store, and NotFound for a
// plugin that there is not.
type Service struct {
	store    store.Store
	registry *registry.Registry
	clock    func() time.Time

	countKeys int // that one call of Sizes counts at most
}

// New returns a Service of what st and r hold.
func New(st store.Store, r *registry.Registry, clock func() time.Time) *Service {
	return &Service{store: st, registry: r, clock: clock, countKeys: countKeys}
}

// open returns a plugin, a deleted one too whose data is kept, and the newest state of
// the store, which the caller releases.
func (s *Service) open(ctx context.Context, name string) (plugin.Plugin, store.Snapshot, error) {
	p, err := s.registry.Plugin(ctx, name)
	if err != nil {
		return p, nil, err
	}
	snap, err := s.store.Snapshot()
	return p, snap, err
}

// tooOld says what it means that a snapshot has become too old while it was sent.
func tooOld(err error) error {
	if fault.CodeOf(err) == fault.Conflict {
		return fault.Wrap(fault.Unavailable, "", "it took too long: others wrote meanwhile, and the store keeps what they replace for some minutes only; try again with a faster reader, or when less is written", err)
	}
	return err
}
