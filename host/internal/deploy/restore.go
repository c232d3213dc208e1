package deploy

import (
	"cmp"
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/router"
)

// restoreWorkers bounds the modules compiled at a time during a start.
const restoreWorkers = 4

// Restore makes every recorded deployment serve again. One that cannot is
// logged, has the status failed and does not keep the others from serving: its
// routes answer 503 until it is replaced. It has no routes if its manifest
// cannot be read or an older plugin has them. An error means that the records
// could not be read, or that ctx ended.
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
	restored, err := d.restoreAll(ctx, plugins)
	if err != nil {
		for _, l := range restored {
			d.drain(l)
		}
		return err
	}
	old, next := d.state.Load(), d.together(restored)
	if !d.publish(old, next) {
		for _, l := range next.live {
			d.drain(l)
		}
	}
	return nil
}

// restoreAll restores what served; what it has when it fails is for the caller
// to drain.
func (d *Deployer) restoreAll(ctx context.Context, plugins []plugin.Plugin) ([]*live, error) {
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
	err := group.Wait()
	return slices.DeleteFunc(restored, func(l *live) bool { return l == nil }), err
}

func (d *Deployer) restore(ctx context.Context, p plugin.Plugin) (*live, error) {
	r, err := d.recall(ctx, p.Name, p.Active)
	if err == nil {
		var l *live
		if l, err = d.ready(ctx, p, r); err == nil {
			return l, nil
		}
	}
	if ctx.Err() != nil {
		return nil, gaveUp(ctx, "the start was given up")
	}
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

// together returns the state in which all of restored serve. What was activated
// beside each other builds; what was not (a manifest that the host could not
// read for a while hid its routes) is added one by one, the oldest plugin first,
// and one that collides loses its routes.
func (d *Deployer) together(restored []*live) *state {
	all := make(map[string]*live, len(restored))
	for _, l := range restored {
		all[l.plugin.Name] = l
	}
	if table, err := buildTable(all); err == nil {
		return &state{live: all, table: table}
	}
	slices.SortFunc(restored, func(a, b *live) int { return cmp.Compare(a.plugin.Space, b.plugin.Space) })
	s := &state{table: new(router.Table[Target])}
	for _, l := range restored {
		lives := with(s.live, l)
		if table, err := buildTable(lives); err == nil {
			s.table = table
		} else {
			lives[l.plugin.Name] = d.unroute(l, err)
		}
		s.live = lives
	}
	return s
}

// unroute replaces a deployment by one that holds its place and has no routes.
func (d *Deployer) unroute(l *live, why error) *live {
	d.drain(l)
	out := d.brokenLive(l.plugin, recalled{version: l.version, manifest: l.manifest}, why)
	out.unrouted = true
	return out
}
