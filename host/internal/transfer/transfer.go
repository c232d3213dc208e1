// Package transfer moves the data of plugins: it counts what they have, and brings it
// out and in, by keys or whole. Package host opens it for the admin API.
package transfer

import (
	"context"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/archive"
	"github.com/wasmoor/wasmoor/host/internal/blob"
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
	blobs    *blob.Store
	registry *registry.Registry
	deployer Deployer
	header   archive.Header
	shared   func(plugin string) *store.Shared
	clock    func() time.Time

	countKeys int // that one call of Sizes counts at most
}

// Deployer puts staged data in place of a plugin's.
type Deployer interface {
	MoveData(ctx context.Context, name string, data registry.Data, by string) error
}

// Config is what a Service works with. Every field counts.
type Config struct {
	Store    store.Store
	Blobs    *blob.Store // has what the names of the store have
	Registry *registry.Registry
	Deployer Deployer
	Header   archive.Header                    // of archives, without whose it is and when; the newest that are read
	Shared   func(plugin string) *store.Shared // what a plugin shares of its disk with others
	Clock    func() time.Time
}

// New returns a Service.
func New(c Config) *Service {
	return &Service{store: c.Store, blobs: c.Blobs, registry: c.Registry, deployer: c.Deployer, header: c.Header, shared: c.Shared, clock: c.Clock, countKeys: countKeys}
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
