package deploy

import (
	"cmp"
	"context"
	"maps"
	"reflect"
	"slices"

	"github.com/wasmoor/wasmoor/host/internal/deploy/steps"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/router"
)

// Restore gives every recorded deployment its routes again. They sleep: the
// first request to each wakes it, so that a start takes as long with many as
// with one. One whose record does not let it serve is logged, has the status
// failed and does not keep the others from serving: its routes answer 503 until
// it is replaced. It has no routes if its manifest cannot be read or an older
// plugin has them. An error means that the records could not be read, or that
// ctx ended.
func (d *Deployer) Restore(ctx context.Context) error {
	unlock, err := d.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	plugins, err := d.cfg.Registry.Plugins(ctx)
	if err == nil {
		err = d.readHolds(ctx)
	}
	if err != nil {
		return err
	}
	d.cfg.Teams.Join(plugins...)
	return d.align(ctx, plugins)
}

// Sync brings what serves under a name in line with what the registry records of
// it, whoever recorded that. It does nothing where they agree. What serves stays
// when its successor cannot be prepared or does not start. Errors: those of Deploy,
// and Conflict when another plugin has its routes.
func (d *Deployer) Sync(ctx context.Context, name string) error {
	unlock, err := d.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	p, err := d.cfg.Registry.Plugin(ctx, name)
	if fault.CodeOf(err) == fault.NotFound { // purged
		p, err = plugin.Plugin{Name: name}, nil
	}
	if err == nil {
		err = d.readHolds(ctx)
	}
	if err != nil {
		return err
	}
	return d.align(ctx, []plugin.Plugin{p})
}

// align makes what serves what records say of their plugins. The caller holds the
// lock.
func (d *Deployer) align(ctx context.Context, records []plugin.Plugin) error {
	old := d.state.Load()
	kept := maps.Clone(old.live)
	var next []*live
	for _, p := range records {
		before := old.live[p.Name]
		if before.agrees(p) {
			continue
		}
		delete(kept, p.Name)
		if before != nil && before.plugin.Space != p.Space {
			d.holds.leavers.Add(p.Name, before.owner)
			delete(d.owners, before.plugin.Space)
		}
		if !serves(p) {
			continue
		}
		l, err := d.follow(ctx, before, p)
		if err != nil {
			d.abandon(old, next)
			return err
		}
		next = append(next, l)
	}
	if ctx.Err() != nil {
		d.abandon(old, next)
		return gaveUp(ctx, "the start was given up")
	}
	d.become(old, d.together(kept, next))
	return nil
}

// serves reports whether a record has a deployment that serves.
func serves(p plugin.Plugin) bool { return p.Deployment != 0 && !p.Deleted }

// agrees reports whether l, nil = nothing, is what a record says.
func (l *live) agrees(p plugin.Plugin) bool {
	if l == nil || !serves(p) {
		return l == nil && !serves(p)
	}
	return l.failure == nil && l.plugin.Space == p.Space && l.plugin.Keys() == p.Keys() && l.plugin.Deployment == p.Deployment && reflect.DeepEqual(l.plugin.Rollout, p.Rollout)
}

// follow makes the deployment that a record names, after before. Where nothing
// serves there is nothing to lose: it sleeps, or is broken. Else it is ready, so
// that no request waits for the change.
func (d *Deployer) follow(ctx context.Context, before *live, p plugin.Plugin) (*live, error) {
	switch {
	case before == nil || before.failure != nil:
		return d.restore(ctx, p), nil
	case before.same(p):
		again := *before
		again.plugin = p
		return &again, nil
	}
	r, err := d.recall(ctx, p.Name, p.Active)
	if err != nil {
		return nil, err
	}
	r.manifest = r.manifest.Under(p.Limits)
	config, err := r.manifest.Config(p)
	if err != nil {
		return nil, err
	}
	program, err := d.try(ctx, &steps.Watch{Clock: d.cfg.Clock}, p.Name, r.module, r.manifest)
	if err != nil {
		return nil, err
	}
	l := d.newLive(p, r, config, program, nil)
	if err := d.addRolling(ctx, l); err != nil {
		d.drain(l)
		return nil, err
	}
	if _, err := d.state.Load().with(l); err != nil {
		d.drain(l)
		return nil, err
	}
	return l, nil
}

// same reports whether a record differs from l's in nothing that its requests
// would notice, so that l goes on under it.
func (l *live) same(p plugin.Plugin) bool {
	p.CORS, p.Deployment, p.Versions, p.Pins = l.plugin.CORS, l.plugin.Deployment, l.plugin.Versions, l.plugin.Pins
	return reflect.DeepEqual(p, l.plugin)
}

// restore makes a recorded deployment, asleep.
func (d *Deployer) restore(ctx context.Context, p plugin.Plugin) *live {
	r, err := d.recallManifest(ctx, p.Name, p.Active)
	if err != nil {
		return d.brokenLive(p, r, err)
	}
	r.manifest = r.manifest.Under(p.Limits)
	config, err := r.manifest.Config(p)
	if err != nil {
		return d.brokenLive(p, r, err)
	}
	l := d.newLive(p, r, config, asleep, nil)
	if err := d.addRolling(ctx, l); err != nil { // whoever tends the roll-out ends it
		d.cfg.Log.Error("a roll-out cannot go on", "plugin", p.Name, "version", p.Rollout.To, "error", err)
	}
	return l
}

// together returns the state in which next serve next to kept. What was activated
// after each other builds; what was not (a manifest that the host could not
// read for a while hid its routes) is added one by one, the oldest plugin first,
// and one that collides loses its routes.
func (d *Deployer) together(kept map[string]*live, next []*live) *state {
	all := maps.Clone(kept)
	for _, l := range next {
		all[l.plugin.Name] = l
	}
	if s, err := newState(all); err == nil {
		return s
	}
	slices.SortFunc(next, func(a, b *live) int { return cmp.Compare(a.plugin.Space, b.plugin.Space) })
	s := &state{live: kept, table: new(router.Table)}
	for _, l := range next {
		more, err := s.with(l)
		if err != nil {
			more, _ = s.with(d.unroute(l, err)) // what has no routes collides with nothing
		}
		s = more
	}
	return s
}

// unroute replaces a deployment by one that holds its place and has no routes.
func (d *Deployer) unroute(l *live, why error) *live {
	d.drain(l)
	it := l.serving.main()
	out := d.brokenLive(l.plugin, recalled{version: it.version, manifest: it.manifest}, why)
	out.unrouted = true
	return out
}
