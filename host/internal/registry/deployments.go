package registry

import (
	"context"
	"fmt"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/registry/vars"
)

// Change says what an activation changes; zero fields leave things as they are.
type Change struct {
	Version int               // the version that is to serve; 0 = the one that serves
	Mount   plugin.Mounts     // "" = as it is
	Grant   *plugin.Grant     // nil = as it is
	Set     map[string]string // vars to set
	Secret  map[string]bool   // those of Set that are sealed; what is sealed already stays so
	Blind   map[string]bool   // those of Secret that no guest may read; what was set so stays so
	Unset   []string          // vars and secrets to remove; one that is not set is fine
	CORS    *plugin.CORS      // the policy to set; nil = as it is
	Limits  *limit.Override   // the operator's; nil = as they are
	NoCORS  bool              // remove the policy
	Rollout *plugin.Rollout   // what becomes of the roll-out; nil = as it is
	Data    *Data             // the key space that its data is in from then on; nil = as it is
	By      string            // who changes it
}

// Next returns what c makes of p, without recording it: what deploy prepares
// before it calls Activate. Only Deployment stays as it is. Errors: Invalid
// (vars, CORS policy, limits).
func (c Change) Next(p plugin.Plugin) (plugin.Plugin, error) {
	if c.Version != 0 {
		p.Active = c.Version
	}
	if c.Mount != "" {
		p.Mount = c.Mount
	}
	if c.Grant != nil {
		p.Grant = *c.Grant
	}
	if c.Limits != nil {
		if why := c.Limits.Check(); why != "" {
			return p, fault.New(fault.Invalid, "", "limits: "+why)
		}
		p.Limits = *c.Limits
	}
	if c.CORS != nil {
		if err := c.CORS.Check(); err != nil {
			return p, err
		}
		p.CORS = c.CORS
	}
	if c.NoCORS {
		p.CORS = nil
	}
	if c.Rollout != nil {
		p.Rollout = c.Rollout
	}
	if c.Data != nil {
		p.Data = c.Data.Space
	}
	return vars.Change{Set: c.Set, Secret: c.Secret, Blind: c.Blind, Unset: c.Unset}.Of(p)
}

// Activate records a deployment of a plugin and makes it the one that serves, in
// one commit. The same change twice makes two deployments. Whether the version
// runs, its config is complete and its grant suffices is for deploy to know
// before, which also keeps two activations of a plugin apart. Errors: NotFound
// (plugin, version; nothing serves and c names no version), Invalid (vars).
func (r *Registry) Activate(ctx context.Context, name string, c Change) (p plugin.Plugin, d plugin.Deployment, err error) {
	r.changes.Lock()
	defer r.changes.Unlock()
	defer r.retained(ctx, name)
	err = r.change(ctx, func(tx *records) (err error) {
		before, next, err := tx.next(name, c)
		if err != nil {
			return err
		}
		p, d, err = tx.deploy(before, next, c.By)
		return err
	})
	return p, d, err
}

// Change changes vars, the CORS policy or the operator's limits. If a version serves, that is a
// deployment of it, as by Activate; else the change waits for the first one, and
// the deployment returned is zero. Errors: NotFound (plugin), Invalid (vars,
// CORS policy, limits).
func (r *Registry) Change(ctx context.Context, name string, c Change) (p plugin.Plugin, d plugin.Deployment, err error) {
	r.changes.Lock()
	defer r.changes.Unlock()
	defer r.retained(ctx, name)
	err = r.change(ctx, func(tx *records) (err error) {
		d = plugin.Deployment{}
		before, next, err := tx.next(name, c)
		if err != nil {
			return err
		}
		if next.Active != 0 {
			p, d, err = tx.deploy(before, next, c.By)
			return err
		}
		p = next
		if err := tx.putPlugin(p); err != nil {
			return err
		}
		e := plugin.Event{By: c.By, Action: c.action(), Plugin: name, Changes: plugin.Differences(before, p)}
		if c.Data != nil {
			e.Action, e.Detail = c.Data.Action, c.Data.Detail
		}
		return tx.audit(e)
	})
	return p, d, err
}

// Grant extends what a plugin may use to what a version asks for, without a deployment:
// what serves gets no more by it. Errors: NotFound, Conflict (it was rejected).
func (r *Registry) Grant(ctx context.Context, name string, version int, ask plugin.Grant, by string) (p plugin.Plugin, err error) {
	r.changes.Lock()
	defer r.changes.Unlock()
	defer r.retained(ctx, name)
	err = r.change(ctx, func(tx *records) (err error) {
		if p, err = tx.live(name); err == nil {
			p, err = tx.grant(p, version, ask, by, "")
		}
		return err
	})
	return p, err
}

// grant extends a plugin's grant to what a version asks for, and records it if that is more.
func (tx *records) grant(p plugin.Plugin, version int, ask plugin.Grant, by, why string) (plugin.Plugin, error) {
	next := p
	next.Grant = p.Grant.Union(ask)
	if err := tx.approve(p, version); err != nil || next.Grant.Equal(p.Grant) {
		return p, err
	}
	if err := tx.putPlugin(next); err != nil {
		return p, err
	}
	return next, tx.audit(plugin.Event{By: by, Action: plugin.ActionGrant, Plugin: p.Name, Version: version, Detail: why, Changes: plugin.Differences(p, next)})
}

// action names a change that is no deployment.
func (c Change) action() plugin.Action {
	switch {
	case c.CORS != nil || c.NoCORS:
		return plugin.ActionCORS
	case c.Limits != nil:
		return plugin.ActionLimits
	case c.Grant != nil:
		return plugin.ActionGrant
	}
	return plugin.ActionVars
}

// next returns a plugin that is not deleted, as it is and as c makes it.
func (tx *records) next(name string, c Change) (before, next plugin.Plugin, err error) {
	if before, err = tx.live(name); err == nil {
		next, err = c.Next(before)
	}
	if err == nil {
		err = tx.seal(before, next, c.By)
	}
	if tx.data = c.Data; err == nil && c.Data != nil {
		err = tx.moveData(before, next)
	}
	return before, next, err
}

// deploy makes a deployment from what next says, and next the plugin's record.
func (tx *records) deploy(before, next plugin.Plugin, by string) (p plugin.Plugin, d plugin.Deployment, err error) {
	if next.Active == 0 {
		return next, d, fault.New(fault.NotFound, "", fmt.Sprintf(
			"no version of plugin %q serves; name one, e.g.: wasmoor activate %s %d", next.Name, next.Name, next.Versions))
	}
	for _, serves := range []int{before.Active, next.Active} { // the one before: programs of old have not approved it
		if err := tx.approve(next, serves); err != nil {
			return next, d, err
		}
	}
	last, _, err := newest[deploymentRecord](tx, below(prefixDeployment, next.Space))
	if err != nil {
		return next, d, err
	}
	d = plugin.Deployment{
		Number: last.Number + 1, Version: next.Active, Mount: next.Mount, Grant: next.Grant,
		Vars: next.Vars, CORS: next.CORS, Limits: next.Limits, By: by, Created: tx.now(),
	}
	next.Deployment = d.Number
	switch {
	case before.Active != next.Active && before.Active != 0:
		next.Previous = before.Active
	case next.Previous == next.Active: // the plugin was deleted meanwhile
		next.Previous = 0
	}
	if err := tx.putPlugin(next); err != nil {
		return next, d, err
	}
	if err := put(tx, numbered(prefixDeployment, next.Space, d.Number), newDeploymentRecord(d)); err != nil {
		return next, d, err
	}
	e := plugin.Event{
		By: by, Action: plugin.ActionActivate, Plugin: next.Name, Version: d.Version, Deployment: d.Number,
		Changes: plugin.Differences(before, next),
	}
	if tx.data != nil {
		e.Action, e.Detail = tx.data.Action, tx.data.Detail
	}
	return next, d, tx.audit(e)
}

// Deployments returns the deployments of a plugin before a number, 0 = the
// newest, the newest first, at most limit of them; 0 = all. Errors: NotFound.
func (r *Registry) Deployments(_ context.Context, name string, before, limit int) ([]plugin.Deployment, error) {
	return history[deploymentRecord](r, name, prefixDeployment, before, limit)
}
