package operate

import (
	"context"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/registry"
)

// Deployments lists a plugin's deployments before a number, 0 = the newest, the
// newest first, at most adminapi.MaxDeployments: each has its vars in the store,
// which are read with it.
func (o *Operator) Deployments(ctx context.Context, name string, before int) ([]adminapi.Deployment, error) {
	deployments, err := o.registry.Deployments(ctx, name, before, adminapi.MaxDeployments)
	list := make([]adminapi.Deployment, len(deployments))
	for i, d := range deployments {
		list[i] = adminapi.Deployment{
			Number: d.Number, Version: d.Version, Mount: string(d.Mount), Grant: grantOf(d.Grant),
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
	keep := registry.Retention{Versions: in.Versions, Deployments: in.Deployments, Events: in.Events}
	pruned, err := o.registry.Prune(ctx, in.Plugin, keep, in.DryRun, by)
	return adminapi.Pruned(pruned), err
}

// Audit lists who changed what: the events after a number, the oldest first, at
// most limit of them and adminapi.MaxEvents.
func (o *Operator) Audit(ctx context.Context, after uint64, limit int) ([]adminapi.Event, error) {
	if limit <= 0 || limit > adminapi.MaxEvents {
		limit = adminapi.MaxEvents
	}
	events, err := o.registry.Audit(ctx, after, limit)
	list := make([]adminapi.Event, len(events))
	for i, e := range events {
		list[i] = adminapi.Event{
			Number: e.Number, Time: e.Time, By: e.By, Action: string(e.Action), Plugin: e.Plugin,
			Version: e.Version, Deployment: e.Deployment, Detail: e.Detail,
		}
	}
	return list, err
}
