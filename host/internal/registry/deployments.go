package registry

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// Change says what an activation changes; zero fields leave things as they are.
type Change struct {
	Version int               // the version that is to serve; 0 = the one that serves
	Mount   plugin.Mount      // "" = as it is
	Grant   *plugin.Grant     // nil = as it is
	Set     map[string]string // vars to set
	Unset   []string          // vars to remove; one that is not set is fine
	CORS    *plugin.CORS      // the policy to set; nil = as it is
	Limits  *limit.Override   // the operator's; nil = as they are
	NoCORS  bool              // remove the policy
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
	var err error
	p.Vars, err = c.vars(p.Vars)
	return p, err
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
		return tx.audit(plugin.Event{By: c.By, Action: c.action(), Plugin: name, Detail: differences(before, p)})
	})
	return p, d, err
}

// Grant extends what a plugin may use to ask, without a deployment: what serves
// gets no more by it. Errors: NotFound.
func (r *Registry) Grant(ctx context.Context, name string, ask plugin.Grant, by string) (p plugin.Plugin, err error) {
	r.changes.Lock()
	defer r.changes.Unlock()
	defer r.retained(ctx, name)
	err = r.change(ctx, func(tx *records) (err error) {
		if p, err = tx.live(name); err == nil {
			p, err = tx.grant(p, ask, by)
		}
		return err
	})
	return p, err
}

// grant extends a plugin's grant to ask, and records it if that is more.
func (tx *records) grant(p plugin.Plugin, ask plugin.Grant, by string) (plugin.Plugin, error) {
	next := p
	next.Grant = p.Grant.Union(ask)
	if next.Grant.Equal(p.Grant) {
		return p, nil
	}
	if err := tx.putPlugin(next); err != nil {
		return p, err
	}
	return next, tx.audit(plugin.Event{By: by, Action: plugin.ActionGrant, Plugin: p.Name, Detail: differences(p, next)})
}

// action names a change that is no deployment.
func (c Change) action() plugin.Action {
	switch {
	case c.CORS != nil || c.NoCORS:
		return plugin.ActionCORS
	case c.Limits != nil:
		return plugin.ActionLimits
	}
	return plugin.ActionVars
}

// next returns a plugin that is not deleted, as it is and as c makes it.
func (tx *records) next(name string, c Change) (before, next plugin.Plugin, err error) {
	if before, err = tx.live(name); err == nil {
		next, err = c.Next(before)
	}
	return before, next, err
}

// deploy makes a deployment from what next says, and next the plugin's record.
func (tx *records) deploy(before, next plugin.Plugin, by string) (p plugin.Plugin, d plugin.Deployment, err error) {
	if next.Active == 0 {
		return next, d, fault.New(fault.NotFound, "", fmt.Sprintf(
			"no version of plugin %q serves; name one, e.g.: wasmoor activate %s %d", next.Name, next.Name, next.Versions))
	}
	if _, err := tx.version(next, next.Active); err != nil {
		return next, d, err
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
	return next, d, tx.audit(plugin.Event{
		By: by, Action: plugin.ActionActivate, Plugin: next.Name, Version: d.Version, Deployment: d.Number,
		Detail: differences(before, next),
	})
}

// differences says what changed besides the version, without values of vars.
func differences(before, after plugin.Plugin) string {
	var what []string
	if before.Mount != after.Mount {
		what = append(what, "mount "+string(after.Mount))
	}
	what = append(what, before.Grant.Changes(after.Grant)...)
	if !reflect.DeepEqual(before.CORS, after.CORS) {
		what = append(what, "cors "+describeCORS(after.CORS))
	}
	if before.Limits != after.Limits {
		what = append(what, "limits "+cmp.Or(after.Limits.String(), "of the manifest"))
	}
	if names := changedVars(before.Vars, after.Vars); len(names) > 0 {
		what = append(what, "vars "+strings.Join(names, " "))
	}
	return strings.Join(what, ", ")
}

func describeCORS(c *plugin.CORS) string {
	if c == nil {
		return "none"
	}
	return strings.Join(c.Origins, " ")
}

func changedVars(before, after map[string]string) []string {
	changed := map[string]bool{}
	for name, value := range after {
		if old, ok := before[name]; !ok || old != value {
			changed[name] = true
		}
	}
	for name := range before {
		if _, ok := after[name]; !ok {
			changed[name] = true
		}
	}
	return slices.Sorted(maps.Keys(changed))
}

// Deployments returns the deployments of a plugin before a number, 0 = the
// newest, the newest first, at most limit of them; 0 = all. Errors: NotFound.
func (r *Registry) Deployments(_ context.Context, name string, before, limit int) ([]plugin.Deployment, error) {
	return history[deploymentRecord](r, name, prefixDeployment, before, limit)
}
