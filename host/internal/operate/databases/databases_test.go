package databases

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/database"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/registry"
	"github.com/wasmoor/wasmoor/host/internal/store/badger"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
)

// desk is what an operator does to the databases of a plugin "demo", which does not serve.
type desk struct {
	*Databases
	t        *testing.T
	registry *registry.Registry
}

func open(t *testing.T) *desk {
	t.Helper()
	dir := t.TempDir()
	opened, err := badger.Open(badger.Config{Dir: filepath.Join(dir, "store"), MinFree: -1, Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := opened.Close(); err != nil {
			t.Error(err)
		}
	})
	d := &desk{t: t}
	d.registry, err = registry.Open(t.Context(), opened, filepath.Join(dir, "modules"), time.Now, capabilities.All(capabilities.Config{}))
	if err != nil {
		t.Fatal(err)
	}
	service := database.New(database.Config{Store: opened, Dir: filepath.Join(dir, "databases"), Clock: time.Now, Log: slog.New(slog.DiscardHandler)})
	d.Databases = New(opened, d.registry, service)
	d.upload("main", "old")
	return d
}

// upload adds a version with databases, whose first one has migrations.
func (d *desk) upload(names ...string) {
	d.t.Helper()
	text := "manifest_version = 1\nname = \"demo\"\n"
	var files []string
	for _, name := range names {
		if strings.HasSuffix(name, ".sql") {
			files = append(files, name)
			continue
		}
		text += "[sql." + name + "]\nmigrations = \"migrations\"\n"
	}
	of := database.Files{}
	for i, name := range files {
		of = append(of, abi.Pair{Name: name, Value: fmt.Sprintf("CREATE TABLE t%d (v)", i)})
	}
	module, err := wasmbin.WithCustomSection([]byte("\x00asm\x01\x00\x00\x00"), abi.MigrationsSection, database.Section(map[string]database.Files{names[0]: of}))
	if err != nil {
		d.t.Fatal(err)
	}
	if _, _, err := d.registry.AddVersion(d.t.Context(), registry.AddVersion{Name: "demo", Module: module, Manifest: []byte(text)}); err != nil {
		d.t.Fatal(err)
	}
}

func ref(name string) adminapi.DatabaseRef {
	return adminapi.DatabaseRef{PluginRef: adminapi.PluginRef{Name: "demo"}, Database: name}
}

func (d *desk) run(name, statement string, write bool) adminapi.QueryResult {
	d.t.Helper()
	r, err := d.Query(d.t.Context(), ref(name), adminapi.Query{Statement: statement, Write: write}, "ann")
	if err != nil {
		d.t.Fatalf("%s: %v", statement, err)
	}
	return r
}

func (d *desk) wantCode(what string, err error, want fault.Code) {
	d.t.Helper()
	if fault.CodeOf(err) != want {
		d.t.Errorf("%s: %v, want %s", what, err, want)
	}
}

// TestList: a database is there while a manifest has it, or something is in it.
func TestList(t *testing.T) {
	d := open(t)
	d.run("old", "CREATE TABLE t (v)", true)
	d.upload("main", "more")
	got, err := d.List(t.Context(), "demo")
	want := []adminapi.Database{{Name: "main", Declared: true}, {Name: "more", Declared: true}, {Name: "old", Bytes: 8192}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	_, err = d.Query(t.Context(), ref("mian"), adminapi.Query{Statement: "SELECT 1"}, "ann")
	if d.wantCode("a name that is none", err, fault.NotFound); !strings.Contains(fmt.Sprint(err), "it has main, more, old") {
		t.Errorf("%v does not list the names", err)
	}
	_, err = d.List(t.Context(), "none")
	d.wantCode("no plugin", err, fault.NotFound)
}

// TestValues: each value is what SQLite has, in JSON too.
func TestValues(t *testing.T) {
	d := open(t)
	r := d.run("main", "SELECT 9223372036854775807, 1.0, 1e300, -9e999, 0.1, 'é' || char(0), CAST(x'ff' AS TEXT), x'', NULL", false)
	r.Columns = nil
	var got bytes.Buffer
	for _, v := range r.Rows[0] {
		fmt.Fprintf(&got, "%v|", v)
	}
	if want := "9223372036854775807|1.0|1e+300|-1e999|0.1|é\x00|{[] [255]}|{[] []}|<nil>|"; got.String() != want {
		t.Errorf("%q, want %q", got.String(), want)
	}
}

// TestAudit: what operators do is told before it is done, with a part of the statement, and
// never with what is found.
func TestAudit(t *testing.T) {
	d := open(t)
	d.run("main", "CREATE  TABLE t\n(v)", true)
	d.run("main", "INSERT INTO t VALUES ('"+strings.Repeat("é", 300)+"')", true)
	d.run("main", "SELECT 'sec' || 'ret'", false)
	if _, err := d.Query(t.Context(), ref("main"), adminapi.Query{Before: []string{"DELETE FROM t"}, Statement: "SELECT 1"}, "bob"); fault.CodeOf(err) != fault.Denied {
		t.Errorf("a change without write: %v", err)
	}
	var file bytes.Buffer
	send, err := d.Export(t.Context(), ref("main"), "ann")
	if err == nil {
		err = send(t.Context(), &file)
	}
	if err == nil {
		err = d.Import(t.Context(), ref("old"), &file, "ann")
	}
	if err != nil {
		t.Fatal(err)
	}
	if r := d.run("old", "SELECT count(*) FROM t", false); fmt.Sprint(r.Rows) != "[[1]]" {
		t.Errorf("imported: %v", r.Rows)
	}
	events, err := d.registry.Audit(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range events {
		got = append(got, fmt.Sprintf("%s %s %s", e.By, e.Action, e.Detail))
	}
	want := []string{
		"ann sql-write database main: CREATE TABLE t (v)",
		"ann sql-write database main: INSERT INTO t VALUES ('" + strings.Repeat("é", 88) + " …",
		"ann sql-query database main: SELECT 'sec' || 'ret'",
		"bob sql-query database main: DELETE FROM t; SELECT 1",
		"ann sql-export database main",
		"ann sql-import database old",
		"ann sql-query database old: SELECT count(*) FROM t",
	}
	if diff := cmp.Diff(want, got[len(got)-len(want):]); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// TestImportRefuses: what is over the quota, on a full disk, or comes while another one is
// under way.
func TestImportRefuses(t *testing.T) {
	d := open(t)
	d.run("main", "CREATE TABLE t (v)", true)
	endless := io.LimitReader(zeros{}, 1<<40)
	d.wantCode("over the quota", d.Import(t.Context(), ref("main"), endless, "ann"), fault.TooLarge)
	in := &incoming{r: endless, left: 1 << 40, health: func() error { return fault.New(fault.Exhausted, "", "the disk is full") }}
	_, err := io.Copy(io.Discard, in)
	d.wantCode("a full disk", err, fault.Exhausted)
	_, err = d.Export(t.Context(), ref("old"), "ann")
	d.wantCode("what nobody has written", err, fault.NotFound)
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- d.Import(t.Context(), ref("main"), r, "ann") }()
	if _, err := w.Write([]byte("SQLite")); err != nil { // it is reading
		t.Fatal(err)
	}
	d.wantCode("a second one", d.Import(t.Context(), ref("old"), endless, "ann"), fault.Unavailable)
	_ = w.CloseWithError(errors.New("cut off"))
	d.wantCode("what was cut off", <-done, fault.Unavailable)
	if got := d.run("main", "SELECT count(*) FROM t", false); len(got.Rows) != 1 {
		t.Errorf("what was there: %v", got)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// TestPlan: what a version has done, what it would do, and what is in the way.
func TestPlan(t *testing.T) {
	d := open(t)
	d.upload("main", "1_a.sql", "2_b.sql")
	d.upload("main", "2_b.sql")
	plan := func(version int) adminapi.MigrationPlan {
		t.Helper()
		got, err := d.Plan(t.Context(), "demo", version)
		if err != nil || len(got) == 0 || got[0].Database != "main" {
			t.Fatalf("plan of %d: %+v, %v", version, got, err)
		}
		return got[0]
	}
	names := func(p adminapi.MigrationPlan) (text string) {
		for _, m := range p.Migrations {
			text += fmt.Sprintf("%s applied=%v unknown=%v; ", m.Name, m.Applied != "", m.Unknown)
		}
		return text
	}
	if got := names(plan(2)); got != "1_a.sql applied=false unknown=false; 2_b.sql applied=false unknown=false; " {
		t.Errorf("before: %s", got)
	}
	p, err := d.registry.Plugin(t.Context(), "demo")
	if err != nil {
		t.Fatal(err)
	}
	list, err := database.Parse(database.Files{{Name: "1_a.sql", Value: "CREATE TABLE t0 (v)"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.service.Migrate(t.Context(), place(p, "main"), list); err != nil {
		t.Fatal(err)
	}
	if got := plan(2); got.Obstacle != "" || names(got) != "1_a.sql applied=true unknown=false; 2_b.sql applied=false unknown=false; " {
		t.Errorf("after one: %s%s", names(got), got.Obstacle)
	}
	if got := plan(3); !strings.Contains(got.Obstacle, "1_a.sql") || names(got) != "1_a.sql applied=true unknown=true; 2_b.sql applied=false unknown=false; " {
		t.Errorf("an older version: %s%s", names(got), got.Obstacle)
	}
	_, err = d.Plan(t.Context(), "demo", 9)
	d.wantCode("no such version", err, fault.NotFound)
}
