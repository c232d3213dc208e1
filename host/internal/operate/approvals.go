package operate

import (
	"context"
	"slices"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/consent"
	"github.com/wasmoor/wasmoor/host/internal/operate/services"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// Approvals lists the versions that ask for more than their plugin has, newer than the
// one that serves, by plugin and version.
func (o *Operator) Approvals(ctx context.Context) ([]adminapi.Approval, error) {
	plugins, err := o.registry.Plugins(ctx)
	if err != nil {
		return nil, err
	}
	reach, err := services.NewReach(ctx, o.registry)
	if err != nil {
		return nil, err
	}
	waiting := []adminapi.Approval{}
	for _, p := range plugins {
		if p.Deleted || p.Versions == p.Active {
			continue
		}
		versions, err := o.registry.Versions(ctx, p.Name)
		if err != nil {
			return nil, err
		}
		for _, v := range slices.Backward(versions) {
			if v.Number <= p.Active || !consent.Waits(p, v) {
				continue
			}
			m, err := o.registry.Manifest(ctx, p.Name, v.Number)
			if err != nil { // this host no longer reads it, so that it cannot serve anyway
				continue
			}
			asks := consent.Asks(p, v, m, o.capabilities)
			waiting = append(waiting, adminapi.Approval{
				Plugin: p.Name, Version: v.Number, By: v.By, Created: v.Created, Mount: mountsOf(v.Mount),
				Asks: adminapi.AsksOf(asks, reach.About), Digest: consent.Digest(p, v, asks),
			})
		}
	}
	return waiting, nil
}

// Reject decides that a version does not serve, because of what it asks for, and tells who
// deployed it why. reason "" = nothing. Errors: Invalid (the reason), and those of
// registry.Registry.Reject.
func (o *Operator) Reject(ctx context.Context, name string, version int, reason, by string) error {
	if reason != "" {
		if err := plugin.CheckReason(reason); err != nil {
			return err
		}
	}
	err := o.registry.Reject(ctx, name, version, reason, by)
	if err == nil { // it serves nowhere, and previews of the plugin are begun again in no time
		_, err = o.deployer.EndPreviews(ctx, name, by)
	}
	return err
}
