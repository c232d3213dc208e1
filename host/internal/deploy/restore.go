package deploy

import (
	"cmp"
	"context"
	"slices"

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
	if err != nil {
		return err
	}
	var restored []*live
	for _, p := range plugins {
		if p.Deployment != 0 && !p.Deleted {
			restored = append(restored, d.restore(ctx, p))
		}
	}
	if ctx.Err() != nil {
		for _, l := range restored {
			d.drain(l)
		}
		return gaveUp(ctx, "the start was given up")
	}
	old, next := d.state.Load(), d.together(restored)
	if !d.publish(old, next) {
		for _, l := range next.live {
			d.drain(l)
		}
	}
	return nil
}

// restore makes a recorded deployment, asleep.
func (d *Deployer) restore(ctx context.Context, p plugin.Plugin) *live {
	r, err := d.recallManifest(ctx, p.Name, p.Active)
	if err != nil {
		return d.brokenLive(p, r, err)
	}
	config, err := r.manifest.Resolve(p.Name, p.Vars)
	if err != nil {
		return d.brokenLive(p, r, err)
	}
	return d.newLive(p, r, config, asleep, nil)
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
	s := &state{table: new(router.Table)}
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
