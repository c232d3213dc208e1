// Package databases lets an operator look into the SQLite databases of plugins, change
// them, and copy them out and in. It answers in the types of package adminapi; package
// server/admin imports it.
package databases

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/capability/kv"
	"github.com/wasmoor/wasmoor/host/internal/capability/sql"
	"github.com/wasmoor/wasmoor/host/internal/database"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/registry"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Databases answers an operator. Safe for concurrent use. Every method may return NotFound
// (the plugin, the database) and the errors of the store.
type Databases struct {
	store    store.Store
	registry *registry.Registry
	service  *database.Service

	queries chan struct{} // has one for each that runs
	imports chan struct{}
}

// How many run at a time. SQLite has memory of its own for each.
const (
	maxQueries = 4
	maxImports = 1
)

// New returns a Databases of what a service works on.
func New(st store.Store, r *registry.Registry, s *database.Service) *Databases {
	return &Databases{st, r, s, make(chan struct{}, maxQueries), make(chan struct{}, maxImports)}
}

// List returns the databases of a plugin by name: those that the version that serves has,
// or the newest one, and those that were ever written.
func (d *Databases) List(ctx context.Context, name string) ([]adminapi.Database, error) {
	p, err := d.registry.Plugin(ctx, name)
	if err != nil {
		return nil, err
	}
	return d.list(ctx, p)
}

func (d *Databases) list(ctx context.Context, p plugin.Plugin) ([]adminapi.Database, error) {
	written, err := d.service.List(ctx, place(p, ""))
	if err != nil {
		return nil, err
	}
	declared, err := d.declared(ctx, p)
	if err != nil {
		return nil, err
	}
	list := []adminapi.Database{}
	for _, w := range written {
		list = append(list, adminapi.Database{Name: w.Name, Declared: declared.Has(w.Name), Bytes: w.Bytes(), Held: w.Held})
	}
	for _, o := range declared {
		if !slices.ContainsFunc(list, func(l adminapi.Database) bool { return l.Name == o.Name }) {
			list = append(list, adminapi.Database{Name: o.Name, Declared: true})
		}
	}
	slices.SortFunc(list, func(a, b adminapi.Database) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// declared returns the databases of the version that serves, and of the newest one. A
// deleted plugin has none.
func (d *Databases) declared(ctx context.Context, p plugin.Plugin) (all sql.Settings, err error) {
	for _, version := range []int{p.Active, p.Versions} {
		if version == 0 || p.Deleted {
			continue
		}
		m, err := d.registry.Manifest(ctx, p.Name, version)
		if err != nil {
			return nil, err
		}
		for _, o := range sql.Of(m) {
			if !all.Has(o.Name) {
				all = append(all, o)
			}
		}
	}
	return all, nil
}

func place(p plugin.Plugin, name string) database.Place {
	return database.Place{Plugin: p.Name, Space: store.Space(p.Keys()), Name: name, Quota: kv.Quota(p.Grant)}
}

// find returns where a database of a plugin is.
func (d *Databases) find(ctx context.Context, name, of string) (database.Place, error) {
	p, err := d.registry.Plugin(ctx, name)
	if err != nil {
		return database.Place{}, err
	}
	list, err := d.list(ctx, p)
	if err != nil {
		return database.Place{}, err
	}
	names := make([]string, len(list))
	for i, l := range list {
		if names[i] = l.Name; l.Name == of {
			return place(p, of), nil
		}
	}
	there := "it has none"
	if len(names) > 0 {
		there = "it has " + strings.Join(names, ", ")
	}
	return database.Place{}, fault.New(fault.NotFound, "", fmt.Sprintf("plugin %q has no database %q; %s", name, of, there))
}

// Export records that a database is sent, and returns what sends it as a file of SQLite, all
// of one revision, as fast as its writer takes it. NotFound, too: nobody has written it.
func (d *Databases) Export(ctx context.Context, ref adminapi.DatabaseRef, by string) (send func(context.Context, io.Writer) error, err error) {
	at, err := d.find(ctx, ref.Name, ref.Database)
	if err != nil {
		return nil, err
	}
	if err := d.service.Written(at); err != nil {
		return nil, err
	}
	if err := d.note(ctx, plugin.ActionSQLExport, ref, "", by); err != nil {
		return nil, err
	}
	return func(ctx context.Context, w io.Writer) error { return d.service.Export(ctx, at, w) }, nil
}

// Import has a file of SQLite take the place of a database, once all of it has come and is
// checked. It may have as many bytes as the plugin may keep. Errors are those of
// database.Service.Import, TooLarge, and Unavailable (another import runs). The audit is told
// before.
func (d *Databases) Import(ctx context.Context, ref adminapi.DatabaseRef, file io.Reader, by string) error {
	at, err := d.find(ctx, ref.Name, ref.Database)
	if err != nil {
		return err
	}
	select {
	case d.imports <- struct{}{}:
		defer func() { <-d.imports }()
	default:
		return fault.New(fault.Unavailable, "", "another import is under way on this server; try again when it has ended")
	}
	if err := d.note(ctx, plugin.ActionSQLImport, ref, "", by); err != nil {
		return err
	}
	in := &incoming{r: file, left: at.Quota.Bytes, health: d.store.Health}
	err = d.service.Import(ctx, at, in)
	if in.err != nil {
		return in.err
	}
	return err
}

// note records what is about to be done: it is not in the commit of a database's pages, and
// must not be missing.
func (d *Databases) note(ctx context.Context, action plugin.Action, ref adminapi.DatabaseRef, detail, by string) error {
	what := "database " + ref.Database
	if detail != "" {
		what += ": " + detail
	}
	return d.registry.Note(ctx, plugin.Event{By: by, Action: action, Plugin: ref.Name, Detail: what})
}

// incoming is a file on its way to the disk.
type incoming struct {
	r      io.Reader
	left   int64 // bytes that it may have
	health func() error
	next   int64 // bytes until the disk is looked at
	err    error // why it is refused
}

// healthBytes is how much comes before the disk is looked at again.
const healthBytes = 16 << 20

func (in *incoming) Read(b []byte) (int, error) {
	if in.next <= 0 {
		if in.err = in.health(); in.err != nil {
			return 0, in.err
		}
		in.next = healthBytes
	}
	n, err := in.r.Read(b)
	in.left, in.next = in.left-int64(n), in.next-int64(n)
	if in.left < 0 {
		in.err = fault.New(fault.TooLarge, "", "the file is over what the plugin may keep; have SQLite leave out unused pages with VACUUM, or grant the plugin more with [kv] bytes in its manifest")
		return 0, in.err
	}
	return n, err
}
