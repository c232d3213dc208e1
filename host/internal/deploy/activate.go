package deploy

import (
	"cmp"
	"context"
	"fmt"
	"reflect"

	"github.com/wasmoor/wasmoor/host/internal/consent"
	"github.com/wasmoor/wasmoor/host/internal/deploy/hiding"
	"github.com/wasmoor/wasmoor/host/internal/deploy/migrating"
	"github.com/wasmoor/wasmoor/host/internal/deploy/steps"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/registry"
)

// Activate makes a stored version serve: forward, or back to an earlier one. It
// serves where the plugin is, unless mount, as plugin.ParseMounts reads it, says where. A version that asks
// for more than the plugin was granted waits, unless grant is true; the grant
// stays even if it waits for something else. With force it serves although a database has
// had migrations that it does not know. Errors by fault code: NotFound, and
// those of Deploy.
func (d *Deployer) Activate(ctx context.Context, name string, version int, mount string, grant, force bool, by string) (Changed, error) {
	c := registry.Change{Version: version, By: by}
	if mount != "" {
		var err error
		if c.Mount, err = plugin.ParseMounts(mount); err != nil {
			return Changed{}, err
		}
	}
	return d.changing(ctx, name, func(p plugin.Plugin) (Changed, error) {
		allowed, err := d.cfg.Gate.Activation(ctx, d.cfg.Registry, p, version, c.Mount, grant)
		if err := cmp.Or(err, refuseRolling(p)); err != nil {
			return Changed{}, err
		}
		return d.reactivate(ctx, &steps.Watch{Clock: d.cfg.Clock, Force: force}, p, allowed, grant, c)
	})
}

// Approve grants what a version asks for, and lets it serve where its upload wants it to.
// seen is the consent.Digest of what was shown to the approver: nobody grants by it what
// they have not seen. Errors by fault code: NotFound, Denied, Conflict (it asks for
// something else, or waits for no approval), and those of Deploy.
func (d *Deployer) Approve(ctx context.Context, name string, version int, seen, by string) (Changed, error) {
	return d.changing(ctx, name, func(p plugin.Plugin) (Changed, error) {
		r, err := d.recallManifest(ctx, name, version)
		if err != nil {
			return Changed{}, err
		}
		allowed, err := d.cfg.Gate.Activation(ctx, d.cfg.Registry, p, version, r.version.Mount, true)
		if err == nil {
			err = cmp.Or(refuseRolling(p), consent.Check(p, r.version, r.manifest, d.cfg.Capabilities, seen))
		}
		if err != nil {
			return Changed{}, err
		}
		return d.reactivate(ctx, &steps.Watch{Clock: d.cfg.Clock}, p, allowed, true, registry.Change{Version: version, Mount: r.version.Mount, By: by})
	})
}

// reactivate builds the version that c names anew, and activates it. grant says that what
// it asks for is granted, whatever allowed says.
func (d *Deployer) reactivate(ctx context.Context, w *steps.Watch, p plugin.Plugin, allowed consent.Consent, grant bool, c registry.Change) (Changed, error) {
	r, err := d.recallFor(ctx, w, p, &c, grant || allowed.Approves())
	if err != nil {
		return Changed{}, err
	}
	next, err := c.Next(p)
	if err != nil {
		return Changed{}, err
	}
	r.manifest = r.manifest.Under(next.Limits)
	program, err := d.tryApart(ctx, w, p, r)
	if err != nil {
		return Changed{}, err
	}
	return d.activate(ctx, w, p, r, program, allowed, c)
}

// recallFor recalls the version that c is to activate, and with grant has c grant what it
// asks for. Conflict when it was rejected.
func (d *Deployer) recallFor(ctx context.Context, w *steps.Watch, p plugin.Plugin, c *registry.Change, grant bool) (r recalled, err error) {
	err = w.Run("recall", func() (err error) {
		if r, err = d.recall(ctx, p.Name, c.Version); err == nil {
			err = r.version.Refusal(p.Name)
		}
		return err
	})
	if grant {
		g := p.Grant.Union(r.version.Ask)
		c.Grant = &g
	}
	return r, err
}

var errChanged = fault.New(fault.Conflict, "", "the plugin was changed meanwhile; the version is stored: activate it")

// tryApart is try without the lock, which the caller holds and has again afterwards.
func (d *Deployer) tryApart(ctx context.Context, w *steps.Watch, p plugin.Plugin, r recalled) (program *engine.Candidate, err error) {
	err = d.apart(ctx, p.Name, func() (err error) {
		program, err = d.tryUpload(ctx, w, p.Name, r.module, r.manifest)
		return err
	})
	if err != nil && program != nil {
		err = program.Close(ctx, err)
	}
	return program, err
}

// apart does something long without the lock, which the caller holds and has again then.
func (d *Deployer) apart(ctx context.Context, name string, do func() error) error {
	before, err := d.cfg.Registry.Installed(ctx, name)
	if err != nil {
		return err
	}
	<-d.change
	err = do()
	d.change <- struct{}{} // who holds it does nothing long
	if err != nil {
		return err
	}
	now, err := d.cfg.Registry.Installed(ctx, name)
	if err == nil && !reflect.DeepEqual(now, before) {
		err = errChanged
	}
	return err
}

// migrate has the databases of a plugin be as a version expects them.
func (d *Deployer) migrate(ctx context.Context, w *steps.Watch, l *live, r recalled, together bool) error {
	_, taken := d.state.Load().with(l) // what refuses it does so before that
	work, err := migrating.For(ctx, d.cfg.Databases, w, l.plugin, r.manifest, r.module, together)
	if err = cmp.Or(taken, err); err != nil || !work.Any() {
		return err
	}
	return d.apart(ctx, l.plugin.Name, func() error { return work.Do(ctx, w) })
}

// activate makes a prepared version serve as c says, or says what it waits for.
// It owns the program. The record comes first and the swap after it cannot fail: a crash
// between them leaves what a restart serves.
func (d *Deployer) activate(ctx context.Context, w *steps.Watch, p plugin.Plugin, r recalled, program *engine.Candidate, allowed consent.Consent, c registry.Change) (Changed, error) {
	next, err := c.Next(p)
	if err != nil {
		return Changed{}, program.Close(ctx, err)
	}
	out := d.changed(next, p, r, w)
	asIs := next
	asIs.Mount = p.Mount // what has to be asked for again
	config, missing := consent.Resolve(asIs, r.version, r.manifest)
	if missing = missing.Moved(allowed.Withholds(), p, c.Mount); missing.Any() {
		out.Waiting = missing.Words(allowed)
		return out, program.Close(ctx, d.keepGrant(ctx, p, r.version.Number, c))
	}
	if c.Version != p.Active { // a change of settings takes nothing that another version waits with
		next.Grant = d.cfg.Capabilities.Keeps(consent.Has(next, r.version), r.version.Ask)
		c.Grant = &next.Grant
	}
	l := d.newLive(next, r, config, program, nil)
	err = w.Run("activate", func() error {
		if err := d.addRolling(ctx, l); err != nil {
			return err
		}
		if err := d.migrate(ctx, w, l, r, false); err != nil {
			return err
		}
		old := d.state.Load()
		next, err := old.with(l)
		if err != nil {
			return err
		}
		goOn, err := d.still(ctx, p, l.plugin)
		if err != nil {
			return err
		}
		defer goOn()
		if l.plugin, _, err = d.cfg.Registry.Activate(ctx, p.Name, c); err != nil {
			return err
		}
		d.become(old, next)
		out.Deployment = l.plugin.Deployment
		d.cfg.Log.Info("a version serves", "plugin", p.Name, "version", c.Version, "deployment", out.Deployment, "by", c.By)
		return nil
	})
	if err != nil {
		d.drain(l)
		return Changed{}, err
	}
	out.Steps, out.Activated = w.Steps, true
	return out, nil
}

// keepGrant records what c grants when the rest of c has to wait: whoever
// granted it is not asked again.
func (d *Deployer) keepGrant(ctx context.Context, p plugin.Plugin, version int, c registry.Change) error {
	if c.Grant == nil {
		return nil
	}
	_, err := d.cfg.Registry.Grant(ctx, p.Name, version, *c.Grant, c.By)
	return err
}

// idle is what is told of a version that nobody asked to activate now: what it
// waits for besides, or the reason and how to.
func (d *Deployer) idle(p plugin.Plugin, r recalled, w *steps.Watch, allowed consent.Consent, reason string) Changed {
	out := d.changed(p, p, r, w)
	out.Mount = string(cmp.Or(r.version.Mount, p.Mount))
	_, missing := consent.Resolve(p, r.version, r.manifest)
	if out.Waiting = missing.Moved(allowed.Withholds(), p, r.version.Mount).Words(allowed); len(out.Waiting) == 0 {
		out.Waiting = missing.Idle(reason)
	}
	return out
}

// SetVars sets vars of a plugin, and removes others, so that the manifest's default
// holds. Where the plugin serves, that is one new deployment of the same version.
// Errors by fault code: NotFound (the plugin, a var to set that no version declares,
// or one to remove that is not set), Conflict (the version that serves refuses the
// change), Invalid, and those of Deploy.
func (d *Deployer) SetVars(ctx context.Context, name string, set map[string]string, unset []string, by string) (Changed, error) {
	return d.changeSettings(ctx, name, registry.Change{Set: set, Unset: unset, By: by})
}

// SetLimits replaces the limits that the operator has decided for a plugin; zero
// fields leave what the manifest says. Where the plugin serves, that is a new
// deployment of the same version. Errors are those of SetVars; Invalid names the
// limit that is too high.
func (d *Deployer) SetLimits(ctx context.Context, name string, limits limit.Override, by string) (Changed, error) {
	return d.changeSettings(ctx, name, registry.Change{Limits: &limits, By: by})
}

// SetCORS sets the CORS policy of a plugin. Where the plugin serves, that is a
// new deployment of the same version. Errors by fault code: NotFound, Invalid,
// and those of Deploy.
func (d *Deployer) SetCORS(ctx context.Context, name string, policy plugin.CORS, by string) (Changed, error) {
	return d.changeCORS(ctx, name, registry.Change{CORS: &policy, By: by})
}

// UnsetCORS removes the CORS policy of a plugin; NotFound when there is none.
func (d *Deployer) UnsetCORS(ctx context.Context, name, by string) (Changed, error) {
	return d.changeCORS(ctx, name, registry.Change{NoCORS: true, By: by})
}

// changeCORS changes the policy. The requests of what serves do not notice: it
// goes on under another record.
func (d *Deployer) changeCORS(ctx context.Context, name string, c registry.Change) (Changed, error) {
	return d.changing(ctx, name, func(p plugin.Plugin) (Changed, error) {
		if _, err := p.Policy(); c.NoCORS && err != nil {
			return Changed{}, err
		}
		l := d.state.Load().live[name]
		switch {
		case p.Active == 0:
			return d.keepSettings(ctx, name, c)
		case l == nil || l.failure != nil:
			c.Version = p.Active
			return d.reactivate(ctx, &steps.Watch{Clock: d.cfg.Clock, Force: true}, p, consent.Consent{}, false, c)
		}
		return d.rerecord(ctx, *l, p, c)
	})
}

// rerecord records c as a deployment of its own, which l goes on to serve.
func (d *Deployer) rerecord(ctx context.Context, l live, p plugin.Plugin, c registry.Change) (out Changed, err error) {
	if l.plugin, err = c.Next(p); err != nil {
		return Changed{}, err
	}
	w := &steps.Watch{Clock: d.cfg.Clock}
	err = w.Run("activate", func() error {
		old := d.state.Load()
		next, err := old.with(&l)
		if err != nil {
			return err
		}
		if l.plugin, _, err = d.cfg.Registry.Activate(ctx, p.Name, c); err == nil {
			d.become(old, next)
		}
		return err
	})
	if err != nil {
		return Changed{}, err
	}
	it := l.serving.main()
	out = d.changed(l.plugin, l.plugin, recalled{version: it.version, manifest: it.manifest}, w)
	out.Activated = true
	return out, nil
}

func (d *Deployer) changeSettings(ctx context.Context, name string, c registry.Change) (Changed, error) {
	return d.changing(ctx, name, func(p plugin.Plugin) (Changed, error) {
		for _, key := range c.Unset {
			if !p.IsSet(key) {
				return Changed{}, fault.New(fault.NotFound, "", fmt.Sprintf("var %q of plugin %q is not set", key, name))
			}
		}
		var err error
		if c.Secret, c.Blind, err = hiding.Declared(ctx, d.cfg.Registry, p, c.Set); err != nil {
			return Changed{}, err
		}
		return d.applySettings(ctx, p, c)
	})
}

// applySettings has the version that serves do so as c says, or records c for the first
// that will.
func (d *Deployer) applySettings(ctx context.Context, p plugin.Plugin, c registry.Change) (Changed, error) {
	if p.Active == 0 {
		return d.keepSettings(ctx, p.Name, c)
	}
	c.Version = p.Active
	out, err := d.reactivate(ctx, &steps.Watch{Clock: d.cfg.Clock, Force: true}, p, consent.Consent{}, false, c)
	if err == nil && !out.Activated && len(hiding.Lost(p)) > 0 {
		return d.mend(ctx, p.Name, out, c)
	}
	if err == nil && !out.Activated {
		return Changed{}, fault.New(fault.Conflict, "", fmt.Sprintf("version %d, which serves, refuses the change: %s", p.Active, out.Waiting[0]))
	}
	return out, err
}

// Regrant replaces what a plugin was granted by what change makes of that. Errors are
// those of change and of SetVars.
func (d *Deployer) Regrant(ctx context.Context, name string, change func(plugin.Plugin) (plugin.Grant, error), by string) (Changed, error) {
	return d.changing(ctx, name, func(p plugin.Plugin) (Changed, error) {
		grant, err := change(p)
		if err != nil {
			return Changed{}, err
		}
		newest, err := d.cfg.Registry.Version(ctx, name, p.Versions)
		if err == nil || fault.CodeOf(err) == fault.NotFound { // it was pruned
			err = d.cfg.Gate.MayBind(ctx, p, newest, grant)
		}
		if err != nil {
			return Changed{}, err
		}
		return d.applySettings(ctx, p, registry.Change{Grant: &grant, By: by})
	})
}

// keepSettings records vars, the CORS policy or limits of a plugin that does not serve, and says what its
// newest version waits for now.
func (d *Deployer) keepSettings(ctx context.Context, name string, c registry.Change) (Changed, error) {
	p, _, err := d.cfg.Registry.Change(ctx, name, c)
	if err != nil {
		return Changed{}, err
	}
	r, err := d.recallManifest(ctx, name, p.Versions)
	if err != nil { // the change is kept all the same
		return Changed{Plugin: name, Mount: string(p.Mount), Waiting: []string{fault.MessageOf(err)}}, nil
	}
	return d.idle(p, r, &steps.Watch{}, consent.Consent{}, "no version serves yet"), nil
}

// Delete stops a plugin: its routes end. Its versions, vars and data stay for a
// later plugin of the same name, unless purge removes all of it. Requests that
// run keep their version; what they commit to a purged key space is refused.
// Errors by fault code: NotFound, and those of the store.
func (d *Deployer) Delete(ctx context.Context, name string, purge bool, by string) error {
	unlock, err := d.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	p, err := d.cfg.Registry.Plugin(ctx, name)
	if err != nil {
		return err
	}
	old := d.state.Load()
	next, err := old.without(name)
	if err != nil {
		return err
	}
	if err := d.cfg.Registry.Delete(ctx, name, purge, by); err != nil {
		return err
	}
	if l := old.live[name]; l != nil {
		d.holds.leavers.Add(name, l.owner)
	}
	d.become(old, next)
	d.endPreviewsOf(name)
	if !purge {
		d.cfg.Log.Info("the plugin is deleted; its data is kept", "plugin", name, "by", by)
		return nil
	}
	delete(d.owners, p.Space)
	d.cfg.Teams.Leave(name)
	// It is decided and recorded: what is not removed now is by the next start.
	if err := d.cfg.Registry.Clean(context.WithoutCancel(ctx)); err != nil {
		d.cfg.Log.Warn("a purged plugin's data is not all removed yet", "plugin", name, "error", err)
	}
	if d.cfg.Purged != nil {
		d.cfg.Purged(name)
	}
	return nil
}
