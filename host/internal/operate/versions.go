package operate

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/consent"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/operate/services"
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

// Module returns a module that a version of a plugin has, as it is stored, and its size.
// Who reads it closes it, and compares the digest. Errors: NotFound, Internal.
func (o *Operator) Module(ctx context.Context, name string, digest plugin.Digest) (io.ReadCloser, int64, error) {
	versions, err := o.registry.Versions(ctx, name)
	if err != nil {
		return nil, 0, err
	}
	if !slices.ContainsFunc(versions, func(v plugin.Version) bool { return v.Digest == digest }) {
		return nil, 0, fault.New(fault.NotFound, "", fmt.Sprintf("no version of plugin %q has the module %s", name, digest.Short()))
	}
	return o.registry.OpenModule(digest)
}

func (o *Operator) version(ctx context.Context, p plugin.Plugin, v plugin.Version) adminapi.Version {
	s := adminapi.Version{
		Number: v.Number, Digest: string(v.Digest), Size: v.Size, Label: v.Label, By: v.By, Created: v.Created,
		Ask: grantOf(v.Ask), Mount: mountsOf(v.Mount), Pinned: slices.Contains(p.Pins, v.Number),
	}
	switch {
	case p.Deleted:
	case v.Number == p.Active:
		s.State = adminapi.VersionServing
	case p.Rollout.Runs() && v.Number == p.Rollout.To:
		s.State = adminapi.VersionRolling
	case v.Rejected != nil:
		s.State, s.Rejected = adminapi.VersionRejected, (*adminapi.Rejection)(v.Rejected)
	default:
		if o.waits(ctx, p, v, &s); len(s.Waiting) > 0 {
			s.State = adminapi.VersionWaiting
		}
	}
	return s
}

// waits fills in what keeps a version from being activated.
func (o *Operator) waits(ctx context.Context, p plugin.Plugin, v plugin.Version, s *adminapi.Version) {
	m, err := o.registry.Manifest(ctx, p.Name, v.Number)
	if err != nil {
		s.Waiting = []string{fault.MessageOf(err)}
		return
	}
	_, missing := consent.Resolve(p, v, m)
	s.Waiting = missing.Moved(v.Number > p.Active, p, v.Mount).Words(consent.Consent{})
	if consent.Waits(p, v) {
		reach, err := services.NewReach(ctx, o.registry)
		if err != nil {
			s.Waiting = append(s.Waiting, fault.MessageOf(err))
			return
		}
		asks := consent.Asks(p, v, m, o.capabilities)
		s.Asks, s.AskDigest = adminapi.AsksOf(asks, reach.About), consent.Digest(p, v, asks)
	}
}
