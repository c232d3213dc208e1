// Package crons shows an operator the schedules of plugins, and makes their requests
// when one asks for it. It answers in the types of package adminapi; package
// server/admin imports it.
package crons

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/cron"
	"github.com/wasmoor/wasmoor/host/internal/cron/ticking"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/registry"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Crons answers an operator. Safe for concurrent use. Every method may return NotFound
// (the plugin) and the errors of the store.
type Crons struct {
	registry *registry.Registry
	ticking  *ticking.Service
}

// New returns a Crons of what a service follows.
func New(r *registry.Registry, s *ticking.Service) *Crons { return &Crons{r, s} }

// List returns the schedules of a plugin by name: those of the version that serves.
func (c *Crons) List(ctx context.Context, name string) ([]adminapi.Cron, error) {
	if _, err := c.registry.Plugin(ctx, name); err != nil {
		return nil, err
	}
	list := []adminapi.Cron{}
	for _, s := range c.ticking.Of(name) {
		o := adminapi.Cron{
			Name: s.Name, Schedule: s.Schedule, Timezone: s.Zone, Request: s.Request, Paused: s.Paused, Running: s.Running,
			Late: s.Late.Seconds(), Next: timeOf(s.At), Refused: s.Refused,
			Done: s.Record.Counts.Done, Failed: s.Record.Counts.Failed, Skipped: s.Record.Counts.Skipped,
			Runs: make([]adminapi.CronRun, 0, len(s.Record.Runs)),
		}
		for _, r := range slices.Backward(s.Record.Runs) {
			o.Runs = append(o.Runs, run(r))
		}
		list = append(list, o)
	}
	return list, nil
}

// Run makes the request of a schedule now, which the audit is told before, and returns
// how it went. Errors: NotFound (the schedule), Conflict (it runs), those with which the
// request was not handled.
func (c *Crons) Run(ctx context.Context, name, of, by string) (adminapi.CronRun, error) {
	p, err := c.registry.Plugin(ctx, name)
	if err != nil {
		return adminapi.CronRun{}, err
	}
	if !slices.ContainsFunc(c.ticking.Of(name), func(s ticking.Stats) bool { return s.Name == of }) {
		return adminapi.CronRun{}, fault.New(fault.NotFound, "", fmt.Sprintf("plugin %q has no schedule %q, or does not serve; list them with: wasmoor cron list %s", name, of, name))
	}
	_, err = c.registry.ChangeKeys(ctx, name, func(*store.Tx) (plugin.Event, error) {
		return plugin.Event{By: by, Action: plugin.ActionCronRun, Plugin: name, Detail: "schedule " + of}, nil
	})
	if err != nil {
		return adminapi.CronRun{}, err
	}
	r, err := c.ticking.Fire(ctx, store.Space(p.Keys()), of)
	return run(r), err
}

func run(r cron.Run) adminapi.CronRun {
	return adminapi.CronRun{
		Due: time.UnixMilli(r.Due).UTC(), Began: milliseconds(r.Began), Ended: time.UnixMilli(r.Ended).UTC(), Outcome: string(r.Outcome),
		Attempt: r.Attempt, Status: r.Status, Problem: r.Problem, Times: r.Times, Manual: r.Manual,
	}
}

func milliseconds(ms int64) *time.Time {
	if ms == 0 {
		return nil
	}
	return timeOf(time.UnixMilli(ms))
}

func timeOf(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
