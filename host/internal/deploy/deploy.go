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
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/ceiling"
	"github.com/wasmoor/wasmoor/host/internal/consent"
	"github.com/wasmoor/wasmoor/host/internal/database"
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
	"github.com/wasmoor/wasmoor/host/internal/team"
	"github.com/wasmoor/wasmoor/host/internal/telemetry/tally"
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
	Caps ceiling.Caps
	// Capabilities are what plugins may be given.
	Capabilities capability.List
	Gate         *consent.Gate     // the operator's policy; nil = none
	Databases    *database.Service // migrates those of plugins; nil = nobody does

	// Queue is where guests wait until they may compute; nil = they do not wait.
	Queue *runq.Queue
	// Changed is called when other deployments serve, or a plugin is paused or resumed, with
	// the lock of changes held; nil = nobody asks.
	Changed func()
	Teams   *team.Teams // say what the plugins of a team share; nil = there are none
	// Purged is called with the name of a purged plugin when its modules are gone; nil
	// = by nobody.
	Purged func(name string)
	// HandlerMemory is what attempts may have together outside their guests; nil =
	// no bound.
	HandlerMemory *limit.Budget
	// Canary says how versions take over that do not say themselves. Zero = at once.
	Canary func() plugin.Canary
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
	meters *tally.Room // of all plugins
	holds  holds
	owners map[uint64]*dispatch.Plugin // by key space, deleted plugins too; for whoever holds change
	caps   atomic.Pointer[ceiling.Caps]
	watch  watches // over the roll-outs

	previews atomic.Pointer[map[string]*preview] // nil = there was none yet
	drains   sync.Map                            // *dispatch.Deployment that ends to a channel that is closed when it has
}

// state is everything that serves at a moment. It is replaced, never changed.
type state struct {
	live    map[string]*live
	table   *router.Table
	rolling map[string]*router.Table // for clients that have the new version of a plugin that is rolled out; nil = none is
	closed  bool                     // nothing serves any more
}

// New returns a Deployer that serves nothing yet. Restore it, and Close it.
func New(cfg Config) *Deployer {
	cfg.GuestLog, cfg.Teams = cmp.Or(cfg.GuestLog, cfg.Log), cmp.Or(cfg.Teams, team.New())
	d := &Deployer{
		cfg: cfg, change: make(chan struct{}, 1), trying: make(chan struct{}, maxTrying), waking: make(chan struct{}, maxWaking),
		pools: dispatch.NewPools(cfg.Clock, cfg.SleepAfter), owners: map[uint64]*dispatch.Plugin{},
		meters: tally.NewRoom(tally.MaxAll),
	}
	d.caps.Store(&cfg.Caps)
	d.state.Store(&state{live: map[string]*live{}, table: new(router.Table)})
	return d
}

// Limit changes what the operator gives the whole server, and how long a deployment
// may be without a request before it is unloaded; 0 = for ever.
func (d *Deployer) Limit(caps ceiling.Caps, sleepAfter time.Duration) {
	d.caps.Store(&caps)
	d.pools.SleepAfter(sleepAfter)
}

// Route finds who answers a request, and acquires its deployment: the version is
// fixed from here on, and the caller calls Release. params is a buffer for the
// path values. The client, nil = unknown, decides between the versions of a plugin
// that is rolled out.
func (d *Deployer) Route(method, host, path string, params []abi.Pair, c Client) (Match, router.Result) {
	if strings.HasPrefix(path, previewPrefix) {
		if m, result, ok := d.routePreview(method, host, path, params); ok {
			return m, result
		}
	}
	for {
		s := d.state.Load()
		table, rolled := s.table, ""
		m, result := table.Lookup(method, host, path, params)
		if s.rolling != nil {
			if rolled = s.rolledTo(m.Mounted, c); rolled != "" {
				m, result = s.rolling[rolled].Lookup(method, host, path, params)
			}
		}
		if result != router.Found {
			return Match{Match: m, CORS: s.sharedCORS(m.Mounted)}, result
		}
		l := s.live[m.Plugin]
		it := l.serving.main()
		if m.Plugin == rolled {
			it = &l.serving[1]
		}
		// A deployment that drains has already left the table: look again.
		if it.deployment.Acquire() {
			return Match{Match: m, Deployment: it.deployment, CORS: l.plugin.CORS, manifest: it.manifest}, result
		}
	}
}

// rolledTo returns which of the plugins of a mount the client has the new version of,
// "" = of none. Where two of them are rolled out at a time it is the first.
func (s *state) rolledTo(mounted []string, c Client) string {
	for _, name := range mounted {
		if l := s.live[name]; len(l.serving) > 1 && l.pick(c) != l.serving.main() {
			return name
		}
	}
	return ""
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
		if next.live[name] == nil {
			l.owner.States.Close()
			l.owner.Meter.Close()
		}
		d.drainUnless(next, l)
	}
	for _, l := range next.live {
		d.tend(l)
	}
	d.tellChanged()
}

// abandon drains what was made for a state that does not come to be.
func (d *Deployer) abandon(old *state, made []*live) {
	for _, l := range made {
		d.drainUnless(old, l)
	}
}

// drainUnless drains the deployments of l that do not serve in s.
func (d *Deployer) drainUnless(s *state, l *live) {
	now := s.live[l.plugin.Name]
	for _, it := range l.serving {
		if now == nil || !slices.ContainsFunc(now.serving, func(other share) bool { return other.deployment == it.deployment }) {
			d.end(it.deployment)
		}
	}
}

// has reports whether what serves l's plugin in s is what l's record names.
func (s *state) has(l *live) bool {
	it := s.live[l.plugin.Name]
	return it != nil && it.serving.main().deployment == l.serving.main().deployment
}

// with returns s with next in it. Conflict when the routes of another are in the
// way.
func (s *state) with(next *live) (*state, error) {
	lives := maps.Clone(s.live)
	lives[next.plugin.Name] = next
	return newState(lives)
}

// without returns s without what serves under a name.
func (s *state) without(name string) (*state, error) {
	lives := maps.Clone(s.live)
	delete(lives, name)
	return newState(lives)
}

// owner returns what outlives the deployments of a plugin, here the first of them
// that m is the manifest of. The caller holds the lock.
func (d *Deployer) owner(p plugin.Plugin, m *manifest.Manifest) *dispatch.Plugin {
	owner := d.owners[p.Space]
	if owner == nil {
		line := d.cfg.Queue.NewLine()
		owner = dispatch.NewPlugin(p.Name, m.Limits().Concurrency, line, d.cfg.Capabilities.ForPlugin(time.Now)) // breakers and answers of services go by the time outside
		owner.Lines, owner.Meter.Room = d.cfg.Floods.Source(p.Name), d.meters
		owner.Team = d.cfg.Teams.Join(p)
		owner.Team.Serve(line)
		d.holds.apply(p.Space, owner)
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
	d.watch.close()
	d.endPreviews(func(string, *preview) bool { return true })
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
