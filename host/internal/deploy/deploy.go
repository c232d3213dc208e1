// Package deploy turns an uploaded module into live routes and keeps them: it
// inspects, prepares and probes a version, records it, swaps one pointer and
// drains what served before. Packages operate, server/public, server/admin and
// host import it.
package deploy

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/logs"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/registry"
	"github.com/wasmoor/wasmoor/host/internal/router"
	"github.com/wasmoor/wasmoor/host/internal/runq"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Config is what a Deployer works with. All fields from Queue on may be zero.
type Config struct {
	Store    store.Store
	Registry *registry.Registry
	Prepare  engine.Prepare
	Clock    func() time.Time
	Log      *slog.Logger
	// GuestLog receives what guests log, within the bounds of Floods. nil = Log.
	GuestLog *slog.Logger
	// Floods bounds what is logged of each plugin; nil = nothing does.
	Floods *logs.Floods
	// Caps are what a new version's limits are compared with.
	Caps Caps
	// Capabilities are what plugins may be given.
	Capabilities capability.List

	// Queue is where guests wait until they may compute; nil = they do not wait.
	Queue *runq.Queue
	// Purged is called when the modules of a purged plugin are gone; nil = by
	// nobody.
	Purged func()
	// HandlerMemory is what attempts may have together outside their guests; nil =
	// no bound.
	HandlerMemory *limit.Budget
	// SleepAfter is how long a deployment may be without a request before it is
	// unloaded, 0 = for ever.
	SleepAfter time.Duration
}

// Deployer owns what serves. Methods are safe for concurrent use; changes are
// made one at a time, but for the modules that are tried for them, and reads never
// wait for one.
type Deployer struct {
	cfg    Config
	change chan struct{} // holds one token while a change is made
	trying chan struct{} // holds one token for each upload that is being tried
	waking chan struct{} // holds one token for each deployment that is being woken
	pools  *dispatch.Pools
	state  atomic.Pointer[state]
	owners map[uint64]*dispatch.Plugin // by key space, deleted plugins too; for whoever holds change
	drains sync.Map                    // *dispatch.Deployment that ends to a channel that is closed when it has
}

// state is everything that serves at a moment. It is replaced, never changed.
type state struct {
	live   map[string]*live
	table  *router.Table
	closed bool // nothing serves any more
}

// Match is what a request leads to.
type Match struct {
	router.Match
	Deployment *dispatch.Deployment // nil unless Found
	CORS       *plugin.CORS         // of the plugin, or unless Found of its mount; nil = none
	manifest   *manifest.Manifest
}

// Limits returns the limits of the route that was found.
func (m *Match) Limits() limit.Limits { return m.manifest.RouteLimits(m.Route) }

// Idempotency returns how long answers of the route that was found are kept for
// an Idempotency-Key, 0 = not at all.
func (m *Match) Idempotency() time.Duration { return m.manifest.RouteIdempotency(m.Route) }

// EncodedSlashes reports whether the route that was found takes encoded slashes.
func (m *Match) EncodedSlashes() bool { return m.manifest.RouteEncodedSlashes(m.Route) }

// New returns a Deployer that serves nothing yet. Restore it, and Close it.
func New(cfg Config) *Deployer {
	cfg.GuestLog = cmp.Or(cfg.GuestLog, cfg.Log)
	d := &Deployer{
		cfg: cfg, change: make(chan struct{}, 1), trying: make(chan struct{}, maxTrying), waking: make(chan struct{}, maxWaking),
		pools: dispatch.NewPools(cfg.Clock, cfg.SleepAfter), owners: map[uint64]*dispatch.Plugin{},
	}
	d.state.Store(&state{live: map[string]*live{}, table: new(router.Table)})
	return d
}

// Route finds who answers a request, and acquires its deployment: the version is
// fixed from here on, and the caller calls Release. params is a buffer for the
// path values.
func (d *Deployer) Route(method, host, path string, params []abi.Pair) (Match, router.Result) {
	for {
		s := d.state.Load()
		m, result := s.table.Lookup(method, host, path, params)
		if result != router.Found {
			return Match{Match: m, CORS: s.sharedCORS(m.Mounted)}, result
		}
		l := s.live[m.Plugin]
		// A deployment that drains has already left the table: look again.
		if it := l.serving.pick(); it.deployment.Acquire() {
			return Match{Match: m, Deployment: it.deployment, CORS: l.plugin.CORS, manifest: it.manifest}, result
		}
	}
}

// sharedCORS returns the policy for answers of the host's own below a mount: that
// of the first plugin there that has one. They hold nothing of any plugin.
func (s *state) sharedCORS(mounted []string) *plugin.CORS {
	for _, name := range mounted {
		if policy := s.live[name].plugin.CORS; policy != nil {
			return policy
		}
	}
	return nil
}

// lock waits for the change before this one. Errors: Deadline, Unavailable (ctx
// was cancelled, or the Deployer is closed).
func (d *Deployer) lock(ctx context.Context) (unlock func(), err error) {
	const waited = "another change is still under way; try again when it has ended"
	if ctx.Err() != nil {
		return nil, gaveUp(ctx, waited)
	}
	select {
	case d.change <- struct{}{}:
	case <-ctx.Done():
		return nil, gaveUp(ctx, waited)
	}
	if d.state.Load().closed {
		<-d.change
		return nil, errStopping()
	}
	return func() { <-d.change }, nil
}

func errStopping() error {
	return fault.New(fault.Unavailable, "", "the host is stopping; nothing was changed")
}

// gaveUp says as a fault that ctx ended too early.
func gaveUp(ctx context.Context, message string) error {
	code := fault.Unavailable
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		code = fault.Deadline
	}
	return fault.Wrap(code, "", message, ctx.Err())
}

// changing runs change on a plugin that is not deleted, while nothing else
// changes, and again where that gave the lock away and the plugin was changed.
func (d *Deployer) changing(ctx context.Context, name string, change func(plugin.Plugin) (Changed, error)) (Changed, error) {
	unlock, err := d.lock(ctx)
	if err != nil {
		return Changed{}, err
	}
	defer unlock()
	for {
		p, err := d.cfg.Registry.Installed(ctx, name)
		if err != nil {
			return Changed{}, err
		}
		if out, err := change(p); !errors.Is(err, errChanged) {
			return out, err
		}
	}
}

// become makes next what serves in place of old, which it was made from, and drains
// what is not in it. The caller holds the lock.
func (d *Deployer) become(old, next *state) {
	for _, l := range next.live {
		if !old.has(l) {
			l.owner.SetConcurrency(l.serving.main().manifest.Limits().Concurrency)
		}
	}
	if old.closed || !d.state.CompareAndSwap(old, next) { // Close came before, and drains the old ones
		d.abandon(old, slices.Collect(maps.Values(next.live)))
		return
	}
	for name, l := range old.live {
		if next.has(l) {
			continue
		}
		if next.live[name] == nil {
			l.owner.States.Close()
		}
		d.drain(l)
	}
}

// abandon drains what was made for a state that does not come to be.
func (d *Deployer) abandon(old *state, made []*live) {
	for _, l := range made {
		if !old.has(l) {
			d.drain(l)
		}
	}
}

// has reports whether l's deployments serve in s.
func (s *state) has(l *live) bool {
	it := s.live[l.plugin.Name]
	return it != nil && it.serving.main().deployment == l.serving.main().deployment
}

// with returns s with next in it. Conflict when the routes of another are in the
// way.
func (s *state) with(next *live) (*state, error) {
	lives := maps.Clone(s.live)
	lives[next.plugin.Name] = next
	table, err := newTable(lives)
	return &state{live: lives, table: table}, err
}

// without returns s without what serves under a name.
func (s *state) without(name string) (*state, error) {
	lives := maps.Clone(s.live)
	delete(lives, name)
	table, err := newTable(lives)
	return &state{live: lives, table: table}, err
}

// owner returns what outlives the deployments of a plugin, here the first of them
// that m is the manifest of. The caller holds the lock.
func (d *Deployer) owner(p plugin.Plugin, m *manifest.Manifest) *dispatch.Plugin {
	owner := d.owners[p.Space]
	if owner == nil {
		owner = dispatch.NewPlugin(p.Name, m.Limits().Concurrency, d.cfg.Queue.NewLine(), d.cfg.Capabilities.ForPlugin(d.cfg.Clock))
		owner.Lines = d.cfg.Floods.Source(p.Name)
		d.owners[p.Space] = owner
	}
	return owner
}

// drain ends deployments after the change that replaced them.
func (d *Deployer) drain(l *live) {
	for _, it := range l.serving {
		d.end(it.deployment)
	}
}

func (d *Deployer) end(deployment *dispatch.Deployment) {
	drained, closed := deployment.Drain(), make(chan struct{})
	d.drains.Store(deployment, closed)
	go func() {
		defer close(closed)
		defer d.drains.Delete(deployment)
		<-drained
		deployment.Close(context.Background())
		deployment.Env().States.Close()
	}()
}

// Close ends every route at once and lets running requests finish. It waits for
// them and for a change under way until ctx ends, and then returns a fault,
// Deadline or Unavailable; a program in use is closed with its last request even
// then. Changes after Close are refused as Unavailable.
func (d *Deployer) Close(ctx context.Context) error {
	d.pools.Close() // what is idle is closed with its deployment
	old := d.state.Swap(&state{live: map[string]*live{}, table: new(router.Table), closed: true})
	for _, l := range old.live {
		d.drain(l)
	}
	// What begins after that sees that the host is closed.
	for _, busy := range []chan struct{}{d.trying, d.change} {
		if err := settle(ctx, busy); err != nil {
			return err
		}
	}
	var err error
	d.drains.Range(func(_, closed any) bool {
		select {
		case <-closed.(chan struct{}):
		case <-ctx.Done():
			err = gaveUp(ctx, "requests still run")
		}
		return err == nil
	})
	return err
}

// settle waits until nobody holds a token of busy.
func settle(ctx context.Context, busy chan struct{}) error {
	taken := 0
	defer func() {
		for range taken {
			<-busy
		}
	}()
	for taken < cap(busy) {
		select {
		case busy <- struct{}{}:
			taken++
		case <-ctx.Done():
			return gaveUp(ctx, "a change is still under way")
		}
	}
	return nil
}
