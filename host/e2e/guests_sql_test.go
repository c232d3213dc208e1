package e2e

import (
	stdsql "database/sql"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	_ "github.com/ncruces/go-sqlite3/driver" // of Host.SQL

	"github.com/wasmoor/wasmoor/host/e2e/testdata/sqlcases/app"
	documented "github.com/wasmoor/wasmoor/host/e2e/testdata/sqlcases/users"
	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/sdktest"
	"github.com/wasmoor/wasmoor/sdk/sql"
)

var update = flag.Bool("update-sql", false, "write what the host answers to testdata/sqlcases/answers")

// sqlCases are those of sqlcases, in order.
var sqlCases = []string{
	"setup", "types", "scan", "named", "large", "errors", "rows", "results", "within", "driver", "tx", "prepared", "times", "unix", "nulls", "open", "context", "failures",
	"types/abort", "tx/abort", "prepared/abort", "rows", "returning",
}

// TestSQLOfGo runs a plugin that uses sdk/sql and database/sql: at the server, and without
// WebAssembly by sdktest. Both answer what testdata/sqlcases/answers has.
func TestSQLOfGo(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	s.deploy("sql", pack(t, goGuest(t, "testdata/sqlcases"), "sql", "[sql.main]"))
	db, err := stdsql.Open("sqlite3", "file:"+filepath.Join(t.TempDir(), "main.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	native := sdktest.New(app.Serve)
	native.SQL = map[string]*stdsql.DB{"main": db}
	for i, name := range sqlCases {
		a := s.do("POST", "/sql/"+name, "")
		file := filepath.Join("testdata/sqlcases/answers", filepath.FromSlash(filepath.Dir(name)), filepath.Base(name)+".txt")
		if *update {
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(a.body), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), a.body); a.status != 200 || diff != "" {
			t.Errorf("%d %s at the server: %d (-want +got)\n%s", i, name, a.status, diff)
		}
		if name == "unix" {
			continue // drivers differ
		}
		if got := native.Do(httptest.NewRequest("POST", "/"+name, nil)); got.Status != 200 || got.Text() != string(want) {
			t.Errorf("%d %s by sdktest: %d %s (-want +got)\n%s", i, name, got.Status, got.Fault, cmp.Diff(string(want), got.Text()))
		}
	}
	testSQLReadme(t, s, db)
	for _, statement := range []string{"INSERT OR ROLLBACK INTO t VALUES (2), (1)", "INSERT INTO strict VALUES (1), (1)", "DELETE FROM t"} {
		testSQLRollsBack(t, statement)
	}
}

// testSQLRollsBack has sdktest say that a statement has undone what the server keeps.
func testSQLRollsBack(t *testing.T, statement string) {
	t.Helper()
	db, err := stdsql.Open("sqlite3", "file:"+filepath.Join(t.TempDir(), "main.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("CREATE TABLE t (id INTEGER PRIMARY KEY); CREATE TABLE strict (id UNIQUE ON CONFLICT ROLLBACK); INSERT INTO t VALUES (1); CREATE TRIGGER no BEFORE DELETE ON t BEGIN SELECT raise(ROLLBACK, 'never'); END"); err != nil {
		t.Fatal(err)
	}
	native := sdktest.New(func(*sdk.Response, *sdk.Request) error {
		_, err := sql.Database("main").Exec(statement)
		t.Errorf("%s: goes on with %v", statement, err)
		return nil
	})
	native.SQL = map[string]*stdsql.DB{"main": db}
	if res := native.Get("/"); res.Status != 502 || !strings.Contains(fmt.Sprint(res.Logs), "write ABORT in place of ROLLBACK") {
		t.Errorf("%s: %v with the logs %v", statement, res, res.Logs)
	}
}

// testSQLReadme has sdk/README.md print what works at the server and by sdktest.
func testSQLReadme(t *testing.T, s *server, db *stdsql.DB) {
	t.Helper()
	source, err := os.ReadFile("testdata/sqlcases/users/users.go")
	if err != nil {
		t.Fatal(err)
	}
	_, part, _ := strings.Cut(string(source), "// readme: begin\n")
	part, _, _ = strings.Cut(part, "\n// readme: end\n")
	if !strings.Contains(document(t, "README.md"), "```go\n"+part+"```\n") {
		t.Errorf("sdk/README.md does not have this:\n```go\n%s```", part)
	}
	native := sdktest.New(documented.Routes().Serve)
	native.SQL = map[string]*stdsql.DB{"main": db}
	const form = "application/x-www-form-urlencoded"
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"POST", "/users", "name=eve&email=e", 201, "1"},
		{"POST", "/users", "name=ann&email=a", 201, "2"},
		{"POST", "/users", "name=bob&email=a", 409, "there is a user with that address"},
		{"GET", "/users", "", 200, "2 ann\n1 eve\n"},
		{"GET", "/users?after=ann", "", 200, "1 eve\n"},
	} {
		req, err := http.NewRequest(c.method, s.public+"/sql"+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", form)
		a, err := roundTrip(req)
		if err != nil || a.status != c.status || !strings.Contains(a.body, c.want) {
			t.Errorf("%s %s %s at the server: %v, %v", c.method, c.path, c.body, a, err)
		}
		own := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
		own.Header.Set("Content-Type", form)
		if got := native.Do(own); got.Status != c.status || !strings.Contains(got.Text(), c.want) {
			t.Errorf("%s %s %s by sdktest: %v", c.method, c.path, c.body, got)
		}
	}
}
