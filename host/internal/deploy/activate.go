package deploy

import (
	"context"
	"fmt"

	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/registry"
	"github.com/wasmoor/wasmoor/host/internal/router"
)

// Activate makes a stored version serve: forward, or back to an earlier one. A
// version that asks for more than the plugin was granted waits, unless grant is
// true. Errors by fault code: NotFound, and those of Deploy.
func (d *Deployer) Activate(ctx context.Context, name string, version int, grant bool, by string) (Outcome, error) {
	unlock, err := d.lock(ctx)
	if err != nil {
		return Outcome{}, err
	}
	defer unlock()
	p, err := d.plugin(ctx, name)
	if err != nil {
		return Outcome{}, err
	}
	return d.reactivate(ctx, p, grant, registry.Change{Version: version, By: by})
}

// reactivate builds the version that c names anew, and activates it.
func (d *Deployer) reactivate(ctx context.Context, p plugin.Plugin, grant bool, c registry.Change) (Outcome, error) {
	w := &stopwatch{clock: d.cfg.Clock}
	var r recalled
	if err := w.run("recall", func() (err error) { r, err = d.recall(ctx, p.Name, c.Version); return err }); err != nil {
		return Outcome{}, err
	}
	program, err := d.try(ctx, w, r.module, r.manifest)
	if err != nil {
		return Outcome{}, err
	}
	if grant {
		c.Grant = granting(p, r.version.Ask)
	}
	return d.activate(ctx, w, p, r, program, c)
}

// activate makes a prepared version serve as c says, or says what it waits for.
// It owns the program. The record comes first and the swap after it cannot fail,
// so that a crash between them leaves what a restart serves.
func (d *Deployer) activate(ctx context.Context, w *stopwatch, p plugin.Plugin, r recalled, program engine.Program, c registry.Change) (Outcome, error) {
	next, err := c.Next(p)
	if err != nil {
		return Outcome{}, closing(ctx, program, err)
	}
	out := outcome(next, r, w)
	config, waiting := resolve(next, r)
	if len(waiting) > 0 {
		out.Waiting = waiting
		return out, closing(ctx, program, nil)
	}
	err = w.run("activate", func() error {
		l := d.newLive(next, r, config, program)
		table, err := d.tableWith(l)
		if err != nil {
			return err
		}
		if l.plugin, _, err = d.cfg.Registry.Activate(ctx, p.Name, c); err != nil {
			return err
		}
		d.swap(l, table)
		out.Deployment = l.plugin.Deployment
		return nil
	})
	if err != nil {
		return Outcome{}, closing(ctx, program, err)
	}
	out.Steps, out.Activated = w.steps, true
	return out, nil
}

// resolve returns the config of a version, or says for a person what keeps it
// from being activated.
func resolve(p plugin.Plugin, r recalled) (config map[string]string, waiting []string) {
	for _, ask := range p.Grant.Missing(r.version.Ask) {
		waiting = append(waiting, fmt.Sprintf("it asks for %s, which is not granted; to grant it run: wasmoor activate %s %d --grant", ask, p.Name, r.version.Number))
	}
	config, err := r.manifest.Resolve(p.Name, p.Vars)
	if err != nil {
		waiting = append(waiting, fmt.Sprintf("%s; then run: wasmoor activate %s %d", fault.MessageOf(err), p.Name, r.version.Number))
	}
	return config, waiting
}

// tableWith returns the routes of what serves with next among it.
func (d *Deployer) tableWith(next *live) (*router.Table[Target], error) {
	return buildTable(with(d.state.Load().live, next))
}

// SetVar sets a var of a plugin. Where the plugin serves, that is a new
// deployment of the same version. Errors by fault code: NotFound, Invalid, and
// those of Deploy.
func (d *Deployer) SetVar(ctx context.Context, name, key, value, by string) (Outcome, error) {
	return d.changeVars(ctx, name, registry.Change{Set: map[string]string{key: value}, By: by})
}

// UnsetVar removes a var of a plugin, so that the manifest's default holds.
// NotFound when it was not set; Invalid when the serving version requires it.
func (d *Deployer) UnsetVar(ctx context.Context, name, key, by string) (Outcome, error) {
	return d.changeVars(ctx, name, registry.Change{Unset: []string{key}, By: by})
}

func (d *Deployer) changeVars(ctx context.Context, name string, c registry.Change) (Outcome, error) {
	unlock, err := d.lock(ctx)
	if err != nil {
		return Outcome{}, err
	}
	defer unlock()
	p, err := d.plugin(ctx, name)
	if err != nil {
		return Outcome{}, err
	}
	for _, key := range c.Unset {
		if _, set := p.Vars[key]; !set {
			return Outcome{}, fault.New(fault.NotFound, "", fmt.Sprintf("var %q of plugin %q is not set", key, name))
		}
	}
	if p.Active == 0 {
		p, _, err := d.cfg.Registry.SetVars(ctx, name, c.Set, c.Unset, c.By)
		return Outcome{Plugin: name, Mount: string(p.Mount), Waiting: []string{
			fmt.Sprintf("no version serves yet; run: wasmoor activate %s %d", name, p.Versions),
		}}, err
	}
	c.Version = p.Active
	out, err := d.reactivate(ctx, p, false, c)
	if err == nil && !out.Activated {
		return Outcome{}, fault.New(fault.Invalid, "", fmt.Sprintf("version %d, which serves, refuses the change: %s", p.Active, out.Waiting[0]))
	}
	return out, err
}

// Delete stops a plugin and forgets its versions. Its data stays for a later
// plugin of the same name, unless purge drops its key space too.
func (d *Deployer) Delete(ctx context.Context, name string, purge bool, by string) error {
	unlock, err := d.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := d.cfg.Registry.Plugin(ctx, name); err != nil {
		return err
	}
	// Requests that run keep their version; what they commit to a purged key
	// space is refused.
	if err := d.cfg.Registry.Delete(ctx, name, purge, by); err != nil {
		return err
	}
	if err := d.remove(name); err != nil || !purge {
		return err
	}
	_ = d.cfg.Registry.Clean(context.WithoutCancel(ctx)) // decided: a failure is for the next cleaning
	return nil
}

// plugin returns a plugin that is not deleted.
func (d *Deployer) plugin(ctx context.Context, name string) (plugin.Plugin, error) {
	p, err := d.cfg.Registry.Plugin(ctx, name)
	if err == nil && p.Deleted {
		return p, fault.New(fault.NotFound, "", fmt.Sprintf("plugin %q is deleted; deploy it again, or purge its data with: wasmoor delete %s --purge", name, name))
	}
	return p, err
}
