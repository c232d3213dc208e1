package operate

import (
	"context"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/registry"
)

// mountsOf returns mounts as they are on the wire.
func mountsOf(m plugin.Mounts) []string {
	list := []string{}
	for _, at := range m.List() {
		list = append(list, string(at))
	}
	return list
}

// Deployments lists a plugin's deployments before a number, 0 = the newest, the
// newest first, at most adminapi.MaxDeployments: each has its vars in the store,
// which are read with it.
func (o *Operator) Deployments(ctx context.Context, name string, before int) ([]adminapi.Deployment, error) {
	deployments, err := o.registry.Deployments(ctx, name, before, adminapi.MaxDeployments)
	list := make([]adminapi.Deployment, len(deployments))
	for i, d := range deployments {
		list[i] = adminapi.Deployment{
			Number: d.Number, Version: d.Version, Mount: mountsOf(d.Mount), Grant: grantOf(d.Grant),
			CORS: (*adminapi.CORS)(d.CORS), By: d.By, Created: d.Created,
		}
	}
	return list, err
}

func grantOf(g plugin.Grant) adminapi.Grant {
	members := adminapi.Grant{}
	for _, m := range g.Members() {
		members[m.Name] = m.Value
	}
	return members
}

// Prune removes old records, or counts them: see registry.Registry.Prune.
func (o *Operator) Prune(ctx context.Context, in adminapi.Prune, by string) (adminapi.Pruned, error) {
	keep := registry.Retention{Versions: in.Versions, VersionsAge: time.Duration(in.VersionsAge) * time.Second, Deployments: in.Deployments, Events: in.Events}
	pruned, err := o.registry.Prune(ctx, in.Plugin, keep, in.DryRun, by)
	return adminapi.Pruned(pruned), err
}

// Audit lists who changed what: the events that are asked for of the plugins that
// may says yes to, "" = of none, the oldest first, at most adminapi.MaxEvents.
// Errors: Invalid (a time).
func (o *Operator) Audit(ctx context.Context, in adminapi.EventsQuery, may func(plugin string) bool) ([]adminapi.Event, error) {
	q := registry.Events{After: in.After, Limit: in.Limit, Of: func(plugin string) bool {
		return (in.Plugin == "" || in.Plugin == plugin) && may(plugin)
	}}
	if q.Limit <= 0 || q.Limit > adminapi.MaxEvents {
		q.Limit = adminapi.MaxEvents
	}
	if in.Since != "" {
		var err error
		if q.Since, err = time.Parse(time.RFC3339Nano, in.Since); err != nil {
			return nil, fault.New(fault.Invalid, "", "the parameter since must be a time as in RFC 3339, e.g. 2026-11-29T05:00:00Z")
		}
	}
	events, err := o.registry.Events(ctx, q)
	list := make([]adminapi.Event, len(events))
	for i, e := range events {
		list[i] = adminapi.Event{
			Number: e.Number, Time: e.Time, By: e.By, Token: e.Token, Address: e.Address, RequestID: e.Request,
			Action: string(e.Action), Plugin: e.Plugin, Version: e.Version, Deployment: e.Deployment, Detail: e.Detail,
			Changes: changesOf(e.Changes),
		}
	}
	return list, err
}

func changesOf(all []plugin.Difference) (changes []adminapi.Difference) {
	for _, d := range all {
		changes = append(changes, adminapi.Difference(d))
	}
	return changes
}

// AuditLines returns events after a number as they are stored, as many as one
// answer has.
func (o *Operator) AuditLines(ctx context.Context, after uint64) (adminapi.AuditLines, error) {
	found, err := o.registry.AuditLines(ctx, after, adminapi.MaxEvents)
	page := adminapi.AuditLines{Begin: adminapi.AuditPoint(found.Begin), End: adminapi.AuditPoint(found.End), Lines: []string{}}
	size := 0
	for _, line := range found.Lines {
		if size += len(line); size > maxLinesSize && len(page.Lines) > 0 {
			break
		}
		page.Lines = append(page.Lines, string(line))
	}
	return page, err
}

// maxLinesSize is how many bytes of lines one answer has, unless one line has more.
const maxLinesSize = 4 << 20
