package operate

import (
	"context"
	"fmt"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/operate/services"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Plugins lists every plugin by name, deleted ones with kept data included.
func (o *Operator) Plugins(ctx context.Context) ([]adminapi.Plugin, error) {
	plugins, err := o.registry.Plugins(ctx)
	if err != nil {
		return nil, err
	}
	holds, all, err := o.registry.Holds(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]adminapi.Plugin, 0, len(plugins))
	for _, p := range plugins {
		s, err := o.status(p)
		addHolds(&s, holds[p.Space], all)
		if fault.CodeOf(err) == fault.NotFound {
			continue // purged since
		}
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

// Plugin returns one plugin; NotFound without it.
func (o *Operator) Plugin(ctx context.Context, name string) (adminapi.Plugin, error) {
	p, err := o.registry.Plugin(ctx, name)
	if err != nil {
		return adminapi.Plugin{}, err
	}
	holds, all, err := o.registry.Holds(ctx)
	if err != nil {
		return adminapi.Plugin{}, err
	}
	s, err := o.status(p)
	addHolds(&s, holds[p.Space], all)
	return s, err
}

// addHolds adds what an operator has stopped.
func addHolds(s *adminapi.Plugin, own, all plugin.Hold) {
	if p := own.Pause; p != nil {
		s.Paused = &adminapi.Paused{Writes: p.Writes, RetryAfter: int(p.RetryAfter / time.Second), Page: p.Page != "", By: p.By, Since: p.Since}
	}
	for _, h := range []plugin.Hold{own, all} { // the last one is the wider
		if off := h.EgressOff; off != nil {
			s.EgressOff = &adminapi.Stopped{By: off.By, Since: off.Since, All: h == all, Own: own.EgressOff != nil}
		}
	}
}

func (o *Operator) status(p plugin.Plugin) (adminapi.Plugin, error) {
	usage, err := o.store.Usage(store.Space(p.Keys()))
	if fault.CodeOf(err) == fault.NotFound {
		return adminapi.Plugin{}, fault.New(fault.NotFound, "", fmt.Sprintf("plugin %q has just been purged", p.Name))
	}
	if err != nil {
		return adminapi.Plugin{}, err
	}
	s := adminapi.Plugin{
		Name: p.Name, Mount: mountsOf(p.Mount), State: adminapi.StateStopped, Previous: p.Previous, Versions: p.Versions,
		Deployment: p.Deployment, Routes: []string{}, Created: p.Created, Usage: adminapi.Usage(usage), Calls: services.Granted(p.Grant),
	}
	serving, ok := o.deployer.Serving(p.Name)
	switch {
	case p.Deleted:
		s.State = adminapi.StateDeleted
	case ok:
		addServing(&s, serving)
	}
	if r, ok := o.deployer.Rollout(p); ok && r.Runs() {
		s.Rollout = inOneLine(shownRollout(p.Name, &r))
	}
	return s, nil
}

// addServing adds what is known of a deployment.
func addServing(s *adminapi.Plugin, d deploy.Serving) {
	s.Version, s.Digest, s.Label = d.Version.Number, string(d.Version.Digest), d.Version.Label
	s.Routes, s.Slashes, s.Private = append(s.Routes, d.Routes...), d.Slashes, d.Private
	s.Requests, s.Failures, s.Conflicts = d.Counts.Requests, d.Counts.Failures, d.Counts.Conflicts
	s.Wait, s.Run = millis(d.Counts.Wait), millis(d.Counts.Run)
	s.InFlight, s.Idle, s.Busy, s.Fresh, s.Stateful = d.InFlight, d.Idle, d.Busy, d.Fresh, d.Stateful
	if s.Fresh != "" {
		s.Making = millis(d.Making)
	}
	switch {
	case d.Failure != nil:
		s.State, s.Error = adminapi.StateFailed, fault.MessageOf(d.Failure)
	case d.Loaded:
		s.State = adminapi.StateServing
	default:
		s.State = adminapi.StateAsleep
	}
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
