// Package migrating has the databases of a plugin be as a version expects them before it
// serves. Package deploy calls it.
package migrating

import (
	"context"
	"fmt"
	"strings"

	"github.com/wasmoor/wasmoor/host/internal/capability/kv"
	"github.com/wasmoor/wasmoor/host/internal/capability/sql"
	"github.com/wasmoor/wasmoor/host/internal/database"
	"github.com/wasmoor/wasmoor/host/internal/deploy/steps"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Work is what the databases of a plugin need before a version serves.
type Work struct {
	service *database.Service
	of      []part
}

type part struct {
	place database.Place
	list  []database.Migration
}

// For returns what a version of a plugin needs; together says that it is to serve next to
// the one before it. Errors are those of database.Service.Plan, and Conflict where a
// database has had what one of the versions cannot work with.
func For(ctx context.Context, s *database.Service, l *steps.Watch, p plugin.Plugin, m *manifest.Manifest, module []byte, together bool) (w Work, err error) {
	w.service = s
	declared := sql.Of(m)
	if s == nil || len(declared) == 0 {
		return w, nil
	}
	of, err := database.Read(module)
	if err != nil {
		return w, err
	}
	for _, d := range declared {
		place := database.Place{Plugin: p.Name, Space: store.Space(p.Keys()), Name: d.Name, Quota: kv.Quota(p.Grant)}
		list := of[d.Name]
		if d.Migrations == "" {
			list = nil
		}
		plan, err := s.Plan(ctx, place, list)
		if err == nil && !l.Force {
			err = plan.Safe()
		}
		if err == nil && together {
			err = plan.CompatibleWithBefore()
		}
		if err != nil {
			return w, err
		}
		if len(plan.Unknown) > 0 {
			l.Notices = append(l.Notices, fmt.Sprintf("database %q stays as migration %s has left it, which this version does not know", d.Name, plan.Unknown[len(plan.Unknown)-1].Name))
		}
		if len(plan.Pending) > 0 {
			w.of = append(w.of, part{place, list})
		}
	}
	return w, nil
}

// Any reports whether there is anything to do.
func (w Work) Any() bool { return len(w.of) > 0 }

// Do migrates the databases, one after the other.
func (w Work) Do(ctx context.Context, l *steps.Watch) error {
	return l.Run("migrate", func() error {
		for _, d := range w.of {
			plan, err := w.service.Migrate(ctx, d.place, d.list)
			if err != nil {
				return fault.Wrap(fault.CodeOf(err), "", fmt.Sprintf("database %q: %s", d.place.Name, fault.MessageOf(err)), err)
			}
			var names []string
			for _, m := range plan.Pending {
				names = append(names, strings.TrimSuffix(m.Name, ".sql"))
			}
			l.Note(d.place.Name + ": " + strings.Join(names, ", "))
		}
		return nil
	})
}
