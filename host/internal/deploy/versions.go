package deploy

import (
	"context"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/registry"
)

// States of a version. One that has neither can be activated.
const (
	VersionServing = "serving"
	VersionWaiting = "waiting" // for what its Waiting says
)

// VersionStatus is a version as an operator sees it.
type VersionStatus struct {
	plugin.Version
	State   string   `json:"state,omitempty"`
	Waiting []string `json:"waiting,omitempty"` // what keeps it from being activated, each with what to do
}

// Versions lists a plugin's versions, the newest first.
func (d *Deployer) Versions(ctx context.Context, name string) ([]VersionStatus, error) {
	p, err := d.cfg.Registry.Plugin(ctx, name)
	if err != nil {
		return nil, err
	}
	versions, err := d.cfg.Registry.Versions(ctx, name)
	if err != nil {
		return nil, err
	}
	list := make([]VersionStatus, len(versions))
	for i, v := range versions {
		list[i] = d.versionStatus(ctx, p, v)
	}
	return list, nil
}

func (d *Deployer) versionStatus(ctx context.Context, p plugin.Plugin, v plugin.Version) VersionStatus {
	s := VersionStatus{Version: v}
	switch {
	case p.Deleted:
	case v.Number == p.Active:
		s.State = VersionServing
	default:
		if s.Waiting = d.waitsFor(ctx, p, v); len(s.Waiting) > 0 {
			s.State = VersionWaiting
		}
	}
	return s
}

// waitsFor says what keeps a version from being activated.
func (d *Deployer) waitsFor(ctx context.Context, p plugin.Plugin, v plugin.Version) []string {
	m, err := d.cfg.Registry.Manifest(ctx, p.Name, v.Number)
	if err != nil {
		return []string{fault.MessageOf(err)}
	}
	next, err := registry.Change{Version: v.Number, Mount: v.Mount}.Next(p)
	if err != nil {
		return []string{fault.MessageOf(err)}
	}
	_, waiting := resolve(next, recalled{version: v, manifest: m})
	return waiting
}
