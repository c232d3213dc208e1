// Package sql is the capability to use the databases that a manifest has in tables
// [sql.NAME]. What package sqlite does with one is a part of the attempt's transaction.
// Package capabilities imports it.
package sql

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// Name is that of the capability.
const Name = "sql"

// Unit returns the capability. Whoever declares a database has it: its pages count
// towards what the plugin may keep, and nothing outside the plugin is reached.
func Unit() capability.Unit {
	funcs, kept := functions(), &pool{}
	return capability.Unit{
		Name: Name, Named: true, Read: read,
		Deployment: func(d capability.Deployment) invoke.State {
			s, _ := d.Settings.(Settings)
			return &databases{declared: s, pool: kept}
		},
		Native: funcs,
		Extism: capability.InBlocks(funcs, map[string]uint64{
			abi.FnSQLExec: abi.SQLResultSize, abi.FnSQLColumns: 1 << 10, abi.FnSQLRows: 64 << 10, abi.FnSQLError: 1 << 10,
		}),
	}
}

// Serving returns what a deployment with databases keeps under Name, with connections of
// its own.
func Serving(s Settings) invoke.State { return &databases{declared: s, pool: &pool{}} }

// databases is what a deployment has under Name.
type databases struct {
	declared Settings
	pool     *pool
}

// Close implements invoke.State.
func (*databases) Close() {}

// Keys returns the keys of the table of a database.
func Keys() []string { return []string{"migrations"} }

// folder reads the key migrations: a path within the project.
func folder(t manifest.Table) string {
	text, ok := t.String("migrations")
	if ok && (text == "" || !filepath.IsLocal(text) || strings.Contains(text, "\\")) {
		t.Fail("migrations", "%.100q is no folder within the project; write e.g. \"migrations\"", text)
	}
	return text
}

// MaxDatabases is how many databases a manifest may have.
const MaxDatabases = 32

// Settings are the databases of a manifest, by name.
type Settings []Declared

// Declared is a database.
type Declared struct {
	Name string
	// Migrations is the folder of the project whose files the module carries, "" = it has
	// none.
	Migrations string
}

// Of returns the databases of a manifest.
func Of(m *manifest.Manifest) Settings {
	s, _ := m.Settings(Name).(Settings)
	return s
}

// Has reports whether there is a database of a name.
func (s Settings) Has(name string) bool {
	return slices.ContainsFunc(s, func(d Declared) bool { return d.Name == name })
}

var nameForm = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)

// read reads [sql.NAME].
func read(t manifest.Table) (any, plugin.Terms) {
	s := Settings{} // not nil: there is the table
	names := t.Names()
	if len(names) > MaxDatabases {
		t.Fail("", "%d databases are above the maximum of %d", len(names), MaxDatabases)
		return s, nil
	}
	for _, name := range names {
		one, ok := t.Sub(name, Keys()...)
		switch {
		case !nameForm.MatchString(name):
			t.Fail(name, "a database's name has 1 to 63 characters of a-z, 0-9, _ and -, and begins with a letter")
		case ok:
			s = append(s, Declared{name, folder(one)})
		}
	}
	return s, nil
}
