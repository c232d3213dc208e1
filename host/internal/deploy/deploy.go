// Package deploy turns an uploaded module into live routes and keeps them: it
// inspects, prepares and probes a version, records it, swaps one pointer and
// drains what served before. Package server imports it.
package deploy

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/registry"
	"github.com/wasmoor/wasmoor/host/internal/router"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Config is what a Deployer works with. All fields are required.
type Config struct {
	Store    store.Store
	Registry *registry.Registry
	Engine   engine.Engine
	Clock    func() time.Time
	Log      *slog.Logger
}

// Deployer owns what serves. Methods are safe for concurrent use; changes are
// made one at a time, and reads never wait for one.
type Deployer struct {
	cfg    Config
	change chan struct{} // holds one token while a change is made
	state  atomic.Pointer[state]
	drains sync.WaitGroup // services that end behind a swap
}

// state is everything that serves at a moment. It is replaced, never changed.
type state struct {
	live  map[string]*live
	table *router.Table[Target]
}

// live is a deployment that serves.
type live struct {
	plugin   plugin.Plugin
	version  plugin.Version
	manifest *manifest.Manifest
	program  engine.Program
	service  *dispatch.Service
	failure  error // why a restored deployment answers 503; nil = it serves
	unrouted bool  // nobody knows its routes
}

// Target is what a route leads to.
type Target struct {
	Service  *dispatch.Service
	manifest *manifest.Manifest
}

// Limits returns the limits of the i-th route of the target's manifest.
func (t Target) Limits(i int) limit.Limits { return t.manifest.RouteLimits(i) }

// New returns a Deployer that serves nothing yet. Restore it, and Close it.
func New(cfg Config) *Deployer {
	d := &Deployer{cfg: cfg, change: make(chan struct{}, 1)}
	d.state.Store(&state{table: new(router.Table[Target])})
	return d
}

// Route finds who answers a request, and acquires its service: the version is
// fixed from here on, and the caller calls Release. params is a buffer for the
// path values.
func (d *Deployer) Route(method, host, path string, params []abi.Pair) (router.Match[Target], router.Result) {
	for {
		m, result := d.state.Load().table.Lookup(method, host, path, params)
		// A service that drains has already left the table: look again.
		if result != router.Found || m.Value.Service.Acquire() {
			return m, result
		}
	}
}

// Restore makes every recorded deployment serve again. A deployment that cannot
// be prepared is logged and answers 503 until it is replaced; it does not keep
// the others from serving. An error means that the records could not be read.
func (d *Deployer) Restore(ctx context.Context) error {
	unlock, err := d.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	plugins, err := d.cfg.Registry.Plugins(ctx)
	if err != nil {
		return err
	}
	restored := make([]*live, len(plugins))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(restoreWorkers)
	for i, p := range plugins {
		if p.Deployment == 0 || p.Deleted {
			continue
		}
		group.Go(func() (err error) {
			restored[i], err = d.restore(ctx, p)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	next := map[string]*live{}
	for _, l := range restored {
		if l != nil {
			next[l.plugin.Name] = l
		}
	}
	table, err := buildTable(next)
	if err != nil {
		return err
	}
	d.state.Store(&state{live: next, table: table})
	return nil
}

// restoreWorkers bounds the modules compiled at a time during a start.
const restoreWorkers = 4

func (d *Deployer) restore(ctx context.Context, p plugin.Plugin) (*live, error) {
	r, err := d.recall(ctx, p.Name, p.Active)
	if err == nil {
		var l *live
		if l, err = d.ready(ctx, p, r); err == nil {
			return l, nil
		}
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	d.cfg.Log.Error("deployment cannot serve; its routes answer 503 until it is replaced",
		"plugin", p.Name, "version", p.Active, "error", err)
	return d.brokenLive(p, r, err), nil
}

// ready prepares a recorded deployment again.
func (d *Deployer) ready(ctx context.Context, p plugin.Plugin, r recalled) (*live, error) {
	config, err := r.manifest.Resolve(p.Name, p.Vars)
	if err != nil {
		return nil, err
	}
	program, err := d.prepare(ctx, r.module, r.manifest)
	if err != nil {
		return nil, err
	}
	return d.newLive(p, r, config, program), nil
}

// lock waits for the change before this one.
func (d *Deployer) lock(ctx context.Context) (unlock func(), err error) {
	select {
	case d.change <- struct{}{}:
		return func() { <-d.change }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// swap makes next serve under its name and drains what served there.
func (d *Deployer) swap(next *live, table *router.Table[Target]) {
	old := d.state.Load().live
	lives := with(old, next)
	d.state.Store(&state{live: lives, table: table})
	if before := old[next.plugin.Name]; before != nil {
		d.drain(before)
	}
}

// remove ends a plugin's routes and drains what served there.
func (d *Deployer) remove(name string) error {
	old := d.state.Load().live
	lives := maps.Clone(old)
	delete(lives, name)
	table, err := buildTable(lives)
	if err != nil {
		return err
	}
	d.state.Store(&state{live: lives, table: table})
	if before := old[name]; before != nil {
		d.drain(before)
	}
	return nil
}

// with returns lives with next among them.
func with(lives map[string]*live, next *live) map[string]*live {
	lives = maps.Clone(lives)
	if lives == nil {
		lives = map[string]*live{}
	}
	lives[next.plugin.Name] = next
	return lives
}

// drain ends a deployment behind the back of the change that replaced it.
func (d *Deployer) drain(l *live) {
	done := l.service.Drain()
	d.drains.Go(func() {
		<-done
		if err := l.program.Close(context.Background()); err != nil {
			d.cfg.Log.Error("close program", "plugin", l.plugin.Name, "version", l.version.Number, "error", err)
		}
	})
}

// Close drains everything and waits until it is closed or ctx ends.
func (d *Deployer) Close(ctx context.Context) error {
	unlock, err := d.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	old := d.state.Swap(&state{table: new(router.Table[Target])})
	for _, l := range old.live {
		d.drain(l)
	}
	done := make(chan struct{})
	go func() { d.drains.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return errors.Join(errors.New("requests still run"), ctx.Err())
	}
}
