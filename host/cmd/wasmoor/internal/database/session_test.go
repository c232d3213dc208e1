package database

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/remote"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
)

// talk runs a session on what is typed, with a server that has an answer for everything but
// what is wrong.
func talk(t *testing.T, write bool, do func(*session) error, typed string) (asked []string, out, told string, err error) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q adminapi.Query
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
			t.Error(err)
		}
		asked = append(asked, strings.Join(append(q.Before, q.Statement), " + "))
		if strings.Contains(q.Statement, "wrong") {
			w.Header().Set("Content-Type", adminapi.TypeProblem)
			w.WriteHeader(http.StatusBadRequest)
			_ = json.NewEncoder(w).Encode(adminapi.Problem{Code: "invalid", Detail: "it is wrong"})
			return
		}
		if strings.Contains(q.Statement, "nope") {
			_ = json.NewEncoder(w).Encode(adminapi.QueryResult{Columns: []string{"n"}})
			return
		}
		_ = json.NewEncoder(w).Encode(adminapi.QueryResult{Columns: []string{"n"}, Rows: []adminapi.Row{{"CREATE TABLE t (\n  v)"}}})
	}))
	t.Cleanup(server.Close)
	c, err := client.New(client.Config{Server: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	var stdout, stderr bytes.Buffer
	terminal := term.New(func(string) string { return "" }, strings.NewReader(typed), &stdout, &stderr, func() {})
	s := &session{
		Commands: New(remote.New(&cli.Program{Terminal: terminal})), ctx: t.Context(), client: c,
		asked: question(write),
	}
	err = do(s)
	return asked, stdout.String(), stderr.String(), err
}

func question(write bool) asked {
	return asked{of: adminapi.DatabaseRef{PluginRef: adminapi.PluginRef{Name: "crm"}, Database: "main"}, write: write, limit: 10}
}

// TestPrompt: statements end at a semicolon, commands at their line, and one that fails ends
// nothing.
func TestPrompt(t *testing.T) {
	got, out, told, err := talk(t, false, (*session).prompt,
		".schema t\n.schema nope\nSELECT\n 1; SELECT wrong; SELECT 2;\n.tables\n.none\nBEGIN;\nSELECT 3;\nROLLBACK;\n.quit\nSELECT 4;\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"SELECT sql || ';' FROM sqlite_schema WHERE sql IS NOT NULL AND tbl_name = 't' COLLATE NOCASE ORDER BY rowid",
		"SELECT sql || ';' FROM sqlite_schema WHERE sql IS NOT NULL AND tbl_name = 'nope' COLLATE NOCASE ORDER BY rowid",
		"SELECT\n 1;", "SELECT wrong;", "SELECT 2;",
		`SELECT name, type FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY name`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	if !strings.HasPrefix(out, "CREATE TABLE t (\n  v)\n") {
		t.Errorf("the schema is shown as %q", out)
	}
	for _, want := range []string{"main> ", " ...> ", "it is wrong", "there is no .none", `there is no table or view "nope"`, "main*> "} {
		if !strings.Contains(told, want) {
			t.Errorf("nobody is told %q in\n%s", want, told)
		}
	}
}

// TestTransactions: what is between BEGIN and COMMIT is one request, dumps make their tables
// first, and what is too much is refused whole.
func TestTransactions(t *testing.T) {
	dump := "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nCREATE TABLE a (b);\nINSERT INTO a VALUES (1);\nCREATE TABLE c (d);\nCOMMIT;\nSELECT 1;"
	read := func(s *session) error { return s.read(s.Stdin) }
	got, _, _, err := talk(t, true, read, dump)
	want := []string{"BEGIN + PRAGMA defer_foreign_keys=1 + CREATE TABLE a (b); + CREATE TABLE c (d); + INSERT INTO a VALUES (1); + COMMIT", "SELECT 1;"}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	got, _, _, err = talk(t, true, read, "BEGIN; SELECT 1; SELECT wrong; COMMIT; SELECT 3;")
	if diff := cmp.Diff([]string{"SELECT 1; + SELECT wrong;"}, got); diff != "" || err == nil || !strings.Contains(err.Error(), "statement 4: ") {
		t.Errorf("one that fails: %v (-want +got):\n%s", err, diff)
	}
	for _, much := range []string{
		"BEGIN;" + strings.Repeat("SELECT 1;", maxHeld+1) + "COMMIT;",
		"BEGIN;" + strings.Repeat("SELECT '"+strings.Repeat("x", 1<<19)+"';", 9) + "COMMIT;",
		"SELECT '" + strings.Repeat("x", 3<<20),
		"BEGIN; SELECT 1;",
		"BEGIN; BEGIN;",
	} {
		if got, _, _, err := talk(t, true, read, much); err == nil || len(got) > 0 {
			t.Errorf("%.40s of %d bytes: %d requests, %v", much, len(much), len(got), err)
		}
	}
}
