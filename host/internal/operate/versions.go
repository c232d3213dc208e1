package operate

import (
	"context"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// Versions lists a plugin's versions, the newest first.
func (o *Operator) Versions(ctx context.Context, name string) ([]adminapi.Version, error) {
	p, err := o.registry.Plugin(ctx, name)
	if err != nil {
		return nil, err
	}
	versions, err := o.registry.Versions(ctx, name)
	if err != nil {
		return nil, err
	}
	list := make([]adminapi.Version, len(versions))
	for i, v := range versions {
		list[i] = o.version(ctx, p, v)
	}
	return list, nil
}

func (o *Operator) version(ctx context.Context, p plugin.Plugin, v plugin.Version) adminapi.Version {
	s := adminapi.Version{
		Number: v.Number, Digest: string(v.Digest), Size: v.Size, Label: v.Label, By: v.By, Created: v.Created,
		Ask: grantOf(v.Ask), Mount: string(v.Mount),
	}
	switch {
	case p.Deleted:
	case v.Number == p.Active:
		s.State = adminapi.VersionServing
	default:
		if s.Waiting = o.waitsFor(ctx, p, v); len(s.Waiting) > 0 {
			s.State = adminapi.VersionWaiting
		}
	}
	return s
}

// waitsFor says what keeps a version from being activated.
func (o *Operator) waitsFor(ctx context.Context, p plugin.Plugin, v plugin.Version) []string {
	m, err := o.registry.Manifest(ctx, p.Name, v.Number)
	if err != nil {
		return []string{fault.MessageOf(err)}
	}
	return deploy.Waits(p, v, m)
}
