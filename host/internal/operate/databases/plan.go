package databases

import (
	"context"
	"slices"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/capability/sql"
	"github.com/wasmoor/wasmoor/host/internal/database"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// Plan returns what the activation of a version does to each database of its manifest.
// NotFound, too: the version.
func (d *Databases) Plan(ctx context.Context, name string, version int) ([]adminapi.MigrationPlan, error) {
	p, err := d.registry.Installed(ctx, name)
	if err != nil {
		return nil, err
	}
	v, err := d.registry.Version(ctx, name, version)
	if err != nil {
		return nil, err
	}
	m, err := d.registry.Manifest(ctx, name, version)
	if err != nil {
		return nil, err
	}
	module, err := d.registry.Module(v.Digest)
	if err != nil {
		return nil, err
	}
	of, err := database.Read(module)
	if err != nil {
		return nil, err
	}
	plans := []adminapi.MigrationPlan{}
	for _, declared := range sql.Of(m) {
		list := of[declared.Name]
		if declared.Migrations == "" { // what the module has of it is not run
			list = nil
		}
		one, err := d.plan(ctx, p, declared.Name, list)
		if err != nil {
			return nil, err
		}
		plans = append(plans, one)
	}
	return plans, nil
}

// plan compares migrations with those that a database has had. What is in the way is a
// part of it.
func (d *Databases) plan(ctx context.Context, p plugin.Plugin, name string, list []database.Migration) (out adminapi.MigrationPlan, err error) {
	plan, err := d.service.Plan(ctx, place(p, name), list)
	if err == nil {
		err = plan.Safe()
	}
	out = adminapi.MigrationPlan{Database: name, Migrations: []adminapi.Migration{}}
	if fault.CodeOf(err) == fault.Conflict {
		out.Obstacle, err = fault.MessageOf(err), nil
	}
	for _, a := range plan.Applied {
		unknown := !slices.ContainsFunc(list, func(m database.Migration) bool { return m.Number == a.Number })
		out.Migrations = append(out.Migrations, adminapi.Migration{Number: a.Number, Name: a.Name, Compatible: a.Compatible, Applied: a.At, Unknown: unknown})
	}
	for _, m := range plan.Pending {
		out.Migrations = append(out.Migrations, adminapi.Migration{Number: m.Number, Name: m.Name, Compatible: m.Compatible})
	}
	slices.SortFunc(out.Migrations, func(a, b adminapi.Migration) int { return a.Number - b.Number })
	return out, err
}
