package deploy

import (
	"context"
	"fmt"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/registry"
)

// MoveData puts data that is staged in place of a plugin's, which is removed. Where the
// plugin serves, that is a new deployment of the same version: a request sees the one or
// the other, and one that began on the data before commits before the change or not at
// all. Errors: NotFound, Conflict (a version is rolled out), and those of Deploy.
func (d *Deployer) MoveData(ctx context.Context, name string, data registry.Data, by string) error {
	_, err := d.changing(ctx, name, func(p plugin.Plugin) (Changed, error) {
		if err := refuseRolling(p); err != nil {
			return Changed{}, err
		}
		out, err := d.applySettings(ctx, p, registry.Change{Data: &data, By: by})
		if err == nil {
			p.Data = data.Space
			d.cfg.Teams.Join(p)
			d.endPreviewsOf(name)
		}
		return out, err
	})
	return err
}

// still keeps a plugin from commits while next gets other data than p has, until goOn is
// called: then no commit to the data that it has no more is possible either.
func (d *Deployer) still(ctx context.Context, p, next plugin.Plugin) (goOn func(), err error) {
	owner := d.owners[p.Space]
	if owner == nil || p.Keys() == next.Keys() {
		return func() {}, nil
	}
	owner.Pause.Store(&plugin.Pause{Writes: true, RetryAfter: time.Second, Stop: plugin.Stop{By: "a change of its data, which is over in a moment", Since: d.cfg.Clock()}})
	goOn = func() {
		if err := d.cfg.Registry.Unstage(context.WithoutCancel(ctx), next.Keys()); err != nil {
			d.cfg.Log.Warn("data that was replaced is not removed yet", "plugin", p.Name, "error", err)
		}
		d.holds.apply(p.Space, owner)
	}
	quiet, cancel := context.WithTimeout(ctx, quietTime)
	defer cancel()
	if err := owner.Quiet(quiet); err != nil {
		goOn()
		return nil, fault.Wrap(fault.Deadline, "", fmt.Sprintf("commits of plugin %q have not ended in %s; its data stays as it was", p.Name, quietTime), err)
	}
	return goOn, nil
}
