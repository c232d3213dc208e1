package deploy

import (
	"context"
	"fmt"

	"github.com/wasmoor/wasmoor/host/internal/deploy/hiding"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/registry"
)

// mend records a change of a plugin that does not serve because several of its secrets
// cannot be opened: one after the other is set again. The caller holds the lock.
func (d *Deployer) mend(ctx context.Context, name string, out Changed, c registry.Change) (Changed, error) {
	p, _, err := d.cfg.Registry.Change(ctx, name, c)
	if err != nil {
		return Changed{}, err
	}
	out.Deployment = p.Deployment
	return out, d.align(ctx, []plugin.Plugin{p})
}

// SetSecret gives a secret its value, which no answer shows. Errors are those of
// SetVars; Invalid where the manifest calls the var no secret.
func (d *Deployer) SetSecret(ctx context.Context, name, key, value, by string) (Changed, error) {
	p, err := d.cfg.Registry.Installed(ctx, name)
	if err != nil {
		return Changed{}, err
	}
	set := map[string]string{key: value}
	secrets, _, err := hiding.Declared(ctx, d.cfg.Registry, p, set)
	if err != nil {
		return Changed{}, err
	}
	if _, sealed := p.Secrets[key]; !sealed && !secrets[key] {
		return Changed{}, fault.New(fault.Invalid, "", fmt.Sprintf(
			"the manifest of plugin %q does not call %s a secret; set it with: wasmoor var set %s %s", name, key, name, key))
	}
	return d.SetVars(ctx, name, set, nil, by)
}
