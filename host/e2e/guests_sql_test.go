package e2e

import (
	stdsql "database/sql"
	"flag"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	_ "github.com/ncruces/go-sqlite3/driver" // of Host.SQL

	"github.com/wasmoor/wasmoor/host/e2e/testdata/sqlcases/app"
	"github.com/wasmoor/wasmoor/sdk/sdktest"
)

var update = flag.Bool("update-sql", false, "write what the host answers to testdata/sqlcases/answers")

// sqlCases are those of sqlcases, in order.
var sqlCases = []string{
	"setup", "types", "scan", "named", "large", "errors", "rows", "results", "within", "driver", "tx", "prepared", "times", "unix", "nulls", "open", "context", "failures",
	"types/abort", "tx/abort", "prepared/abort", "rows",
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
}
