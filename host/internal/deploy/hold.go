package deploy

import (
	"context"
	"fmt"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/dispatch/owners"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// holds are what an operator has stopped, by the space of the plugin, and of all.
// Whoever holds the lock of changes uses them.
type holds struct {
	of  map[uint64]plugin.Hold
	all plugin.Hold

	leavers owners.Leavers // for anybody
}

// apply has a plugin do as it says.
func (h *holds) apply(space uint64, owner *dispatch.Plugin) {
	own := h.of[space]
	owner.Pause.Store(own.Pause)
	owner.States.Switch(own.EgressOff != nil || h.all.EgressOff != nil)
}

// readHolds takes what is recorded.
func (d *Deployer) readHolds(ctx context.Context) (err error) {
	if d.holds.of, d.holds.all, err = d.cfg.Registry.Holds(ctx); err != nil {
		return err
	}
	for space, owner := range d.owners {
		d.holds.apply(space, owner)
	}
	d.tellChanged()
	return nil
}

// hold records what change stops or resumes of a plugin, of all with the name "", and
// has it done at once.
func (d *Deployer) hold(ctx context.Context, name string, change func(*plugin.Hold, plugin.Stop) plugin.Event, by string) (*dispatch.Plugin, error) {
	unlock, err := d.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	space, _, err := d.cfg.Registry.Hold(ctx, name, change, by)
	if err == nil {
		err = d.readHolds(ctx)
	}
	if err != nil {
		return nil, err
	}
	return d.owners[space], nil
}

// quietTime bounds how long Pause waits for commits.
const quietTime = 10 * time.Second

// Pause keeps a plugin from serving: its requests are answered 503. With p.Writes it
// serves, and a request that has written is answered 503 in place of its commit; when
// Pause returns, no commit is under way. It returns how many requests have begun: they
// go on. Errors: NotFound, Invalid, Deadline (commits do not end; the pause holds).
func (d *Deployer) Pause(ctx context.Context, name string, p plugin.Pause, by string) (running int, err error) {
	if err := p.Check(); err != nil {
		return 0, err
	}
	owner, err := d.hold(ctx, name, p.Begin, by)
	if err != nil || owner == nil {
		return 0, err
	}
	if p.Writes {
		ctx, cancel := context.WithTimeout(ctx, quietTime)
		defer cancel()
		if err := owner.Quiet(ctx); err != nil {
			return 0, fault.Wrap(fault.Deadline, "pause", fmt.Sprintf(
				"plugin %q takes no writes any more, but commits that had begun have not ended in %s", name, quietTime), err)
		}
	}
	return len(owner.Requests()), nil
}

// Resume ends a pause; where there is none it does nothing. Errors: NotFound.
func (d *Deployer) Resume(ctx context.Context, name, by string) error {
	_, err := d.hold(ctx, name, (*plugin.Hold).Resume, by)
	return err
}

// Egress ends every call of a plugin to other services, those under way too, and
// refuses others, or lets them go again. With the name "" that is so for all plugins,
// whatever is decided for each. Where that is so already it does nothing. Errors:
// NotFound.
func (d *Deployer) Egress(ctx context.Context, name string, off bool, by string) error {
	_, err := d.hold(ctx, name, func(h *plugin.Hold, s plugin.Stop) plugin.Event { return h.Egress(off, s) }, by)
	return err
}

// Running returns the requests that a plugin has at the moment, the oldest first.
// Errors: NotFound.
func (d *Deployer) Running(ctx context.Context, name string) (all []dispatch.Request, err error) {
	if all = d.owned().Requests(name); len(all) == 0 {
		_, err = d.cfg.Registry.Installed(ctx, name)
	}
	return all, err
}

// owned returns what has requests: the plugins that serve, and those that did and whose
// last requests run, with their names.
func (d *Deployer) owned() owners.Owners {
	live, all := d.state.Load().live, d.holds.leavers.All()
	for name, l := range live {
		all[l.owner] = name
	}
	return all
}

// Kill ends the running requests with an id, of the plugins that may lets, and returns
// how many there were. Errors: NotFound.
func (d *Deployer) Kill(ctx context.Context, id string, may func(plugin string) error, by string) (n int, err error) {
	n, err = d.owned().Kill(id, may, func(name string, ended int) error {
		d.cfg.Log.Warn("an operator has ended a request", "plugin", name, "request_id", id, "by", by)
		return d.cfg.Registry.Killed(ctx, name, id, ended, by)
	})
	if n == 0 && err == nil {
		err = fault.New(fault.NotFound, "", fmt.Sprintf("no request with the id %.128q runs, or its commit has begun; list them with: wasmoor requests NAME", id))
	}
	return n, err
}
