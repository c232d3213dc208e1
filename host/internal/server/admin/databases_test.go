package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
)

// databaseRecorder is a Databases that notes its last call.
type databaseRecorder struct {
	note func(string, ...any) error
}

func (r databaseRecorder) List(_ context.Context, name string) ([]adminapi.Database, error) {
	return []adminapi.Database{{Name: "main", Declared: true, Bytes: 8192}}, r.note("databases %s", name)
}

// theResult has a value of each kind.
var theResult = adminapi.QueryResult{
	Columns: []string{"a"}, More: true, Changed: 3,
	Rows: []adminapi.Row{
		{nil, json.Number("9223372036854775807"), json.Number("1.0"), json.Number("-1e999")},
		{"é\x00", adminapi.Bytes{Blob: []byte{0, 0xff}}, adminapi.Bytes{Blob: []byte{}}, adminapi.Bytes{Text: []byte{0xff}}},
	},
}

func (r databaseRecorder) Query(_ context.Context, ref adminapi.DatabaseRef, q adminapi.Query, by string) (adminapi.QueryResult, error) {
	before := fmt.Sprintf("%q", q.Before)
	return theResult, r.note("query %s %s %.20s %.20q write=%v limit=%d by %s", ref.Name, ref.Database, before, q.Statement, q.Write, q.Limit, by)
}

func (r databaseRecorder) Export(_ context.Context, ref adminapi.DatabaseRef, by string) (sender, error) {
	return func(_ context.Context, w io.Writer) error {
		_, err := io.WriteString(w, theBackup)
		return err
	}, r.note("export %s %s by %s", ref.Name, ref.Database, by)
}

func (r databaseRecorder) Import(_ context.Context, ref adminapi.DatabaseRef, file io.Reader, by string) error {
	if ref.Database == "early" {
		return fault.New(fault.NotFound, "", "no such database")
	}
	n, err := io.Copy(io.Discard, file)
	if err != nil {
		return fault.Wrap(fault.Unavailable, "", "cut off", err)
	}
	return r.note("import %s %s %d bytes by %s", ref.Name, ref.Database, n, by)
}

func (r databaseRecorder) Plan(_ context.Context, name string, version int) ([]adminapi.MigrationPlan, error) {
	return []adminapi.MigrationPlan{{Database: "main", Migrations: []adminapi.Migration{{Number: 1, Name: "001_a.sql"}}}}, r.note("plan %s %d", name, version)
}

func TestDatabases(t *testing.T) {
	d := &recorder{}
	addr := adminFor(t, d)
	for _, tc := range []struct {
		method, path, body string
		status             int
		call, want         string
	}{
		{"GET", "/v1/plugins/shop/databases", "", 200, "databases shop", `[{"name":"main","declared":true,"bytes":8192}]`},
		{"GET", "/v1/plugins/shop/versions/2/migrations", "", 200, "plan shop 2", `[{"database":"main","migrations":[{"number":1,"name":"001_a.sql","compatible":false}]}]`},
		{"GET", "/v1/plugins/shop/versions/0/migrations", "", 422, "", ""},
		{
			"POST", "/v1/plugins/shop/databases/main/query", `{"statement":"SELECT 1"}`, 200, `query shop main [] "SELECT 1" write=false limit=0 by admin`,
			`{"columns":["a"],"rows":[[null,9223372036854775807,1.0,-1e999],["é\u0000",{"blob":"AP8="},{"blob":""},{"text":"/w=="}]],"more":true,"changed":3}`,
		},
		{"POST", "/v1/plugins/shop/databases/main/query", `{"statement":""}`, 422, "", ""},
		{"POST", "/v1/plugins/shop/databases/Main/query", `{"statement":"x"}`, 422, "", ""},
		{"POST", "/v1/plugins/shop/databases/main/query", `{"statement":"x","before":["` + strings.Repeat("y", 6<<20) + `"]}`, 422, "", ""},
		{"POST", "/v1/plugins/shop/databases/main/query", `{"statement":"x","before":["` + strings.Repeat("y", 9<<20) + `"]}`, 413, "", ""},
		{"PUT", "/v1/plugins/shop/databases/main/file", "file", 204, "import shop main 4 bytes by admin", ""},
	} {
		d.call = ""
		headers := []string{right, fmt.Sprintf("Content-Length: %d", len(tc.body))}
		got := servertest.RoundTrip(t, addr, servertest.Local(tc.method, tc.path, tc.body, headers...))
		if got.StatusCode != tc.status || d.call != tc.call || tc.want != "" && strings.TrimSpace(got.Text) != tc.want {
			t.Errorf("%s %s: status %d, call %q, body %.300s", tc.method, tc.path, got.StatusCode, d.call, got.Text)
		}
	}
	got := servertest.RoundTrip(t, addr, servertest.Local("GET", "/v1/plugins/shop/databases/main/file", "", right))
	if got.Text != theBackup || got.Header.Get("Content-Type") != adminapi.TypeSQLite || got.Header.Get("Content-Disposition") != `attachment; filename="shop-main.sqlite"` {
		t.Errorf("export: %d bytes, %v", len(got.Text), got.Header)
	}
}

// zeros is a file of nothing but them.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// TestImportsAreLarge: the file of a database may be larger than any module, takes no memory
// for bodies, and is refused before it has come.
func TestImportsAreLarge(t *testing.T) {
	d := &recorder{}
	budget := limit.NewBudget(8 << 10)
	addr := adminFor(t, d, func(c *Config) { c.Bodies = budget })
	c, err := client.New(client.Config{Server: "http://" + addr, Token: "right"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	const size = limit.Module + 1<<20
	want := fmt.Sprintf("import shop main %d bytes by admin", size)
	of := adminapi.DatabaseRef{PluginRef: adminapi.PluginRef{Name: "shop"}, Database: "main"}
	if err := c.ImportDatabase(t.Context(), of, io.LimitReader(zeros{}, size)); err != nil || d.call != want {
		t.Errorf("chunked: %q, %v", d.call, err)
	}
	conn := servertest.Dial(t, addr)
	servertest.Send(t, conn, servertest.Local("PUT", "/v1/plugins/shop/databases/main/file", "", right, fmt.Sprint("Content-Length: ", size)))
	if _, err := io.Copy(conn, io.LimitReader(zeros{}, size)); err != nil {
		t.Fatal(err)
	}
	if got := servertest.Receive(t, bufio.NewReader(conn), "PUT"); got.StatusCode != 204 || d.call != want {
		t.Errorf("of a length that is said: %d, %q", got.StatusCode, d.call)
	}
	of.Database = "early"
	if err := c.ImportDatabase(t.Context(), of, io.LimitReader(zeros{}, size)); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("a refusal before the file has come: %v", err)
	}
}
