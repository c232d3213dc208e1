package deploy

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/wasmoor/wasmoor/host/internal/consent"
	"github.com/wasmoor/wasmoor/host/internal/deploy/steps"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/registry"
)

// RollOut is Activate for a version that takes over step by step. Where nothing
// serves there is nothing to compare with, and it serves at once. Errors: those of
// Activate, and Conflict where another one is being rolled out.
func (d *Deployer) RollOut(ctx context.Context, name string, version int, canary plugin.Canary, grant bool, by string) (Changed, error) {
	return d.changing(ctx, name, func(p plugin.Plugin) (Changed, error) {
		allowed, err := d.cfg.Gate.Activation(ctx, d.cfg.Registry, p, version, "", grant)
		if err := cmp.Or(err, refuseRolling(p)); err != nil {
			return Changed{}, err
		}
		w, c := &steps.Watch{Clock: d.cfg.Clock}, registry.Change{Version: version, By: by}
		r, err := d.recallFor(ctx, w, p, &c, grant || allowed.Approves())
		if err != nil {
			return Changed{}, err
		}
		r.manifest = r.manifest.Under(p.Limits)
		program, err := d.tryApart(ctx, w, p, r)
		if err != nil {
			return Changed{}, err
		}
		return d.begin(ctx, w, p, r, program, allowed, c, canary)
	})
}

// refuseRolling keeps what serves from being changed while a version is rolled out.
func refuseRolling(p plugin.Plugin) error {
	if !p.Rollout.Runs() {
		return nil
	}
	return fault.New(fault.Conflict, "", fmt.Sprintf(
		"version %d of plugin %q is being rolled out and serves %s; end that first: wasmoor rollout abort %s, or: wasmoor rollout promote %s --full",
		p.Rollout.To, p.Name, plugin.Percent(p.Rollout.Weight()), p.Name, p.Name))
}

// begin gives a prepared version its first share of the clients, or says what it
// waits for. It owns the program. As in activate the record comes first.
func (d *Deployer) begin(ctx context.Context, w *steps.Watch, p plugin.Plugin, r recalled, program *engine.Candidate, allowed consent.Consent, c registry.Change, canary plugin.Canary) (Changed, error) {
	l := d.state.Load().live[p.Name]
	if canary.AsSet {
		set := d.cfg.Canary()
		canary = plugin.Canary{Plan: set.Plan, Key: cmp.Or(canary.Key, set.Key)}
	}
	switch {
	case canary.Plan == nil:
		return d.activate(ctx, w, p, r, program, allowed, c)
	case l == nil || l.failure != nil || p.Active == 0 || p.Active == r.version.Number:
		w.Notices = append(w.Notices, "it serves everybody at once: there is no other version that serves, to compare it with")
		return d.activate(ctx, w, p, r, program, allowed, c)
	case c.Mount != "" && c.Mount != p.Mount:
		return Changed{}, program.Close(ctx, fault.New(fault.Conflict, "", fmt.Sprintf(
			"version %d is stored and is to serve at %s, where the plugin is at %s: a roll-out keeps the mount; run: wasmoor activate %s %d %s",
			r.version.Number, c.Mount, p.Mount, p.Name, r.version.Number, c.Mount.Flags())))
	}
	now := d.cfg.Clock().UTC().Round(0)
	c.Version, c.Mount = 0, ""
	c.Rollout = &plugin.Rollout{
		From: p.Active, To: r.version.Number, Plan: canary.Plan, Key: canary.Key, By: c.By, Started: now, Stepped: now,
	}
	next, err := c.Next(p)
	if err != nil {
		return Changed{}, program.Close(ctx, err)
	}
	out := d.changed(next, p, r, w)
	config, missing := consent.Resolve(next, r.version, r.manifest)
	if missing.Any() {
		out.Waiting = missing.Words(allowed)
		return out, program.Close(ctx, d.keepGrant(ctx, p, r.version.Number, c))
	}
	if err := d.migrate(ctx, w, l, r, true); err != nil {
		return Changed{}, program.Close(ctx, err)
	}
	next.Grant = consent.Has(next, r.version)
	c.Grant = &next.Grant
	it := d.newShare(next, r, config, program, nil)
	again := *l
	again.serving = shares{*l.serving.main(), it}
	detail := fmt.Sprintf("begins at %s beside version %d, plan %s", plugin.Percent(c.Rollout.Weight()), p.Active, canary.Plan)
	if err := w.Run("roll out", func() error { return d.rerollout(ctx, &again, c, detail) }); err != nil {
		d.end(it.deployment)
		return Changed{}, err
	}
	d.watch.begun.Add(1)
	d.cfg.Log.Info("a version is rolled out", "plugin", p.Name, "version", r.version.Number, "plan", canary.Plan.String(), "by", c.By)
	out.Steps, out.Rollout = w.Steps, again.plugin.Rollout
	return out, nil
}

// rerollout records what c says of a roll-out and makes l what serves.
func (d *Deployer) rerollout(ctx context.Context, l *live, c registry.Change, detail string) (err error) {
	old := d.state.Load()
	if l.plugin, err = c.Next(old.live[l.plugin.Name].plugin); err != nil {
		return err
	}
	next, err := old.with(l)
	if err != nil {
		return err
	}
	if l.plugin, err = d.cfg.Registry.Rollout(ctx, l.plugin.Name, c, detail); err != nil {
		return err
	}
	d.become(old, next)
	return nil
}

// addRolling gives l the version that its record says is rolled out, asleep.
// Conflict when that one refuses what the record says.
func (d *Deployer) addRolling(ctx context.Context, l *live) error {
	p := l.plugin
	if !p.Rollout.Runs() || len(l.serving) > 1 {
		return nil
	}
	r, err := d.recallManifest(ctx, p.Name, p.Rollout.To)
	if err != nil {
		return err
	}
	r.manifest = r.manifest.Under(p.Limits)
	config, missing := consent.Resolve(p, r.version, r.manifest)
	if missing.Any() {
		return fault.New(fault.Conflict, "", fmt.Sprintf("version %d, which is being rolled out, refuses the change: %s", r.version.Number, missing.Words(consent.Consent{})[0]))
	}
	l.serving = append(l.serving, d.newShare(p, r, config, asleep, nil))
	return nil
}

// rolling returns what serves a plugin that is rolled out. The caller holds the lock.
func (d *Deployer) rolling(name string) (*live, error) {
	l := d.state.Load().live[name]
	if l == nil || !l.plugin.Rollout.Runs() {
		return nil, fault.New(fault.NotFound, "", fmt.Sprintf("no version of plugin %q is being rolled out; begin with: wasmoor deploy --canary, or wasmoor activate %s VERSION --canary", name, name))
	}
	return l, nil
}

// Promote takes a roll-out to its next step, or at once to everybody, whatever the
// gate knows. Errors: NotFound.
func (d *Deployer) Promote(ctx context.Context, name string, full bool, by string) error {
	return d.reroll(ctx, name, func(l *live) error { return d.advance(ctx, l, full, "by hand", by) })
}

// PauseRollout keeps a roll-out at its step, or has it go on. The gate watches all
// the same, and a version that does worse goes back. Errors: NotFound.
func (d *Deployer) PauseRollout(ctx context.Context, name string, pause bool, by string) error {
	return d.reroll(ctx, name, func(l *live) error {
		ro, again, detail := *l.plugin.Rollout, *l, "goes on"
		if pause {
			detail = "is paused at " + plugin.Percent(ro.Weight())
		}
		if ro.Paused == pause {
			return nil
		}
		ro.Paused = pause
		return d.rerollout(ctx, &again, registry.Change{Rollout: &ro, By: by}, detail)
	})
}

// Abort ends a roll-out: the version that served before serves everybody. Errors:
// NotFound.
func (d *Deployer) Abort(ctx context.Context, name, by string) error {
	return d.reroll(ctx, name, func(l *live) error { return d.goBack(ctx, l, plugin.RollAbort, "by "+by, by) })
}

// reroll runs change on a plugin that is rolled out, while nothing else changes.
func (d *Deployer) reroll(ctx context.Context, name string, change func(*live) error) error {
	unlock, err := d.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := d.cfg.Registry.Installed(ctx, name); err != nil {
		return err
	}
	l, err := d.rolling(name)
	if err != nil {
		return err
	}
	return change(l)
}

// advance takes a roll-out to its next step, and after the last one to everybody.
func (d *Deployer) advance(ctx context.Context, l *live, full bool, reason, by string) error {
	ro, again := *l.plugin.Rollout, *l
	ro.Stepped = d.cfg.Clock().UTC().Round(0)
	if ro.Step++; full || ro.Step == len(ro.Plan) {
		return d.complete(ctx, l, reason, by)
	}
	d.cfg.Log.Info("a roll-out goes on", "plugin", l.plugin.Name, "version", ro.To, "share", plugin.Percent(ro.Weight()), "reason", reason)
	return d.rerollout(ctx, &again, registry.Change{Rollout: &ro, By: by}, fmt.Sprintf("goes to %s: %s", plugin.Percent(ro.Weight()), reason))
}

// complete lets the new version serve everybody: that is its deployment.
func (d *Deployer) complete(ctx context.Context, l *live, reason, by string) error {
	if len(l.serving) == 1 { // it could not be restored
		return fault.New(fault.Unavailable, "", "the version that is rolled out cannot serve; the operator's log says why")
	}
	ro, again := *l.plugin.Rollout, *l
	ro.Outcome, ro.Reason, ro.Ended, ro.Paused = plugin.RolledOut, reason, d.cfg.Clock().UTC().Round(0), false
	again.serving = slices.Clone(l.serving[1:])
	kept := d.cfg.Capabilities.Keeps(l.plugin.Grant, again.serving.main().version.Ask)
	c := registry.Change{Version: ro.To, Grant: &kept, Rollout: &ro, By: by}
	old := d.state.Load()
	var err error
	if again.plugin, err = c.Next(l.plugin); err != nil {
		return err
	}
	next, err := old.with(&again)
	if err != nil {
		return err
	}
	if again.plugin, _, err = d.cfg.Registry.Activate(ctx, l.plugin.Name, c); err != nil {
		return err
	}
	d.become(old, next)
	d.watch.done.Add(1)
	d.cfg.Log.Info("a version serves", "plugin", l.plugin.Name, "version", ro.To, "deployment", again.plugin.Deployment, "rolled_out", reason, "by", by)
	return nil
}

// goBack ends a roll-out for the version that served before. That is the safe side:
// where it cannot be recorded it is done all the same, and the error says so.
func (d *Deployer) goBack(ctx context.Context, l *live, outcome plugin.RolloutOutcome, reason, by string) error {
	ro, again := *l.plugin.Rollout, *l
	ro.Outcome, ro.Reason, ro.Ended, ro.Paused = outcome, reason, d.cfg.Clock().UTC().Round(0), false
	again.serving = slices.Clone(l.serving[:1])
	old := d.state.Load()
	next, err := old.with(&again)
	if err != nil {
		return err
	}
	c := registry.Change{Rollout: &ro, By: by}
	if again.plugin, err = d.cfg.Registry.Rollout(ctx, l.plugin.Name, c, rolledBackDetail(&ro)); err != nil {
		again.plugin = l.plugin
		again.plugin.Rollout = &ro
		d.watch.remember(l.plugin.Name, c)
	}
	d.become(old, next)
	count := &d.watch.aborted
	if outcome == plugin.RolledBack {
		count = &d.watch.back
	}
	count.Add(1)
	d.cfg.Log.Warn("a roll-out ended: the version before serves everybody", "plugin", l.plugin.Name, "version", ro.To, "serves", ro.From, "reason", reason, "by", by)
	return err
}

func rolledBackDetail(ro *plugin.Rollout) string {
	return fmt.Sprintf("ends at %s, version %d serves everybody: %s", plugin.Percent(ro.Weight()), ro.From, cmp.Or(ro.Reason, "no reason"))
}
