package e2e

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/packing"
)

// migrating returns a version of the plugin crm with files of migrations.
func migrating(t *testing.T, files map[string]string) []byte {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "up"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := os.WriteFile(filepath.Join(dir, "up", name), []byte(files[name]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text := "manifest_version = 1\nname = \"crm\"\n[sql.main]\nmigrations = \"up\"\n[limits]\ndeadline = \"30s\"\n"
	module, err := packing.Pack(goGuest(t, "testdata/sqlguest"), []byte(text), dir)
	if err != nil {
		t.Fatal(err)
	}
	return module
}

// query sends a statement that is answered.
func (s *server) query(statement string) string {
	s.t.Helper()
	a := s.do("POST", "/crm/", statement)
	if a.status != 200 {
		s.t.Fatalf("%s: %d %s\n%s", statement, a.status, a.body, s.log)
	}
	return strings.TrimSpace(a.body)
}

// TestMigrations has versions come and go, with what their databases need.
func TestMigrations(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	files := map[string]string{"001_users.sql": "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL);\nINSERT INTO users (name) VALUES ('ada');"}
	s.deploy("crm", migrating(t, files))
	if got := s.query("SELECT name FROM users"); got != "ada" {
		t.Errorf("the first: %s", got)
	}
	s.deploy("crm", migrating(t, files)) // nothing to do
	refused := func(what string, err error, want string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", what, err, want)
		}
		if got := s.query("SELECT count(*) FROM users"); got != "1" {
			t.Errorf("%s: %s rows", what, got)
		}
	}
	broken := maps.Clone(files)
	broken["002_fails.sql"] = "DELETE FROM users; SELECT * FROM none;"
	refused("one that fails", s.tryDeploy(context.Background(), "crm", migrating(t, broken)), "migration 002_fails.sql: SQL logic error: no such table: none")
	changed := map[string]string{"001_users.sql": "CREATE TABLE users (id INTEGER PRIMARY KEY)"}
	refused("one that was changed", s.tryDeploy(context.Background(), "crm", migrating(t, changed)), "was changed after it was applied")

	files["002_mail.sql"] = "ALTER TABLE users ADD COLUMN mail TEXT NOT NULL DEFAULT 'none';"
	second := writeFile(t, "crm.wasm", migrating(t, files))
	if _, stderr, code := s.cli("deploy", second, "--canary", "50%:1h"); code == 0 || !strings.Contains(stderr, "does not say that the version before it can work") {
		t.Errorf("a roll-out: %d %s", code, stderr)
	}
	s.mustCLI("", "deploy", second)
	if got := s.query("SELECT name, mail FROM users"); got != "ada,none" {
		t.Errorf("the second: %s", got)
	}
	newest, _ := s.status("crm")
	if _, stderr, code := s.cli("rollback", "crm"); code == 0 || !strings.Contains(stderr, "--force") {
		t.Errorf("back: %d %s", code, stderr)
	}
	s.mustCLI("", "rollback", "crm", "--force")
	s.query("INSERT INTO users (name) VALUES ('grace')")
	s.mustCLI("", "activate", "crm", fmt.Sprint(newest.Version))
	files["003_index.sql"] = "-- compatible\nCREATE INDEX names ON users (name);"
	s.mustCLI("", "deploy", writeFile(t, "crm.wasm", migrating(t, files)), "--canary", "50%:1h", "--no-wait")
	if got := s.query("SELECT name FROM sqlite_schema WHERE type = 'index'"); got != "names" {
		t.Errorf("indexes: %s", got)
	}
	s.mustCLI("", "rollout", "abort", "crm")
}

// TestKilledWhileItMigrates kills the server in the middle of an index that a commit does
// not take: the database is what it was, or what it is to be.
func TestKilledWhileItMigrates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := serve(t, dir)
	files := map[string]string{"001_t.sql": "CREATE TABLE t (i INTEGER PRIMARY KEY, v TEXT);"}
	s.deploy("crm", migrating(t, files))
	const fill = "INSERT INTO t (v) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) SELECT 'a text that takes its room in an index ' || random() FROM n"
	for range 8 {
		s.query(fill)
	}
	sum := s.query("SELECT count(*), sum(length(v)) FROM t")
	files["002_v.sql"] = "CREATE INDEX v ON t (v);"
	next := migrating(t, files)
	kills, done := 0, false
	for i := range often(4, 40) {
		went := make(chan error, 1)
		now := s
		go func() { went <- now.tryDeploy(context.Background(), "crm", next) }()
		select {
		case err := <-went:
			if err != nil {
				t.Fatalf("%v\n%s", err, s.log)
			}
			done = true
		case <-time.After(time.Duration(200+i*400) * time.Millisecond):
			kills++
		}
		s.kill()
		s = serve(t, dir)
		if got := s.query("SELECT count(*), sum(length(v)) FROM t"); got != sum {
			t.Fatalf("after kill %d: %s, want %s", kills, got, sum)
		}
		if got := s.query("SELECT integrity_check FROM pragma_integrity_check"); got != "ok" {
			t.Fatalf("after kill %d: %s", kills, got)
		}
		s.query("UPDATE t SET v = v WHERE i = 1") // it takes writes
		if done {
			break
		}
	}
	if !done {
		s.deploy("crm", next)
	}
	if got := s.query("SELECT name FROM sqlite_schema WHERE type = 'index'"); got != "v" {
		t.Errorf("indexes: %s", got)
	}
	t.Log(fmt.Sprint(kills), "kills")
}
