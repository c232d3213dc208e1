package e2e

import "testing"

// TestExtismSQL has a plugin of Extism write and read rows: in the request's transaction,
// with parameters, pages and what is wrong.
func TestExtismSQL(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	s.deploy("rows", pack(t, goGuest(t, "testdata/kvguest"), "rows", "[kv]", "[sql.main]"))
	if a := s.do("POST", "/rows/", "exec CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE)"); a.body != "ok 0\n" {
		t.Fatal(a)
	}
	s.deploy("rows", pack(t, goGuest(t, "testdata/extismguest"), "rows", `abi = "extism"`, "[kv]", "[sql.main]", "[[route]]", `pattern = "POST /"`, `handler = "query"`))
	const columns = "[{id INTEGER} {name TEXT}]"
	for _, c := range []struct {
		body   string
		status int
		want   string
	}{
		{"ann", 200, "1 changed, last 1;" + columns + " 1=ann"},
		{"drop bob", 500, "1 changed, last 2;" + columns + " 1=ann 2=bob"},
		{"eve", 200, "1 changed, last 2;" + columns + " 1=ann 2=eve"},
		{"ann", 409, "-2 2067 constraint failed: UNIQUE constraint failed: t.name"},
		{"dan", 200, "1 changed, last 3;" + columns + " 1=ann 2=eve 3=dan"},
	} {
		if a := s.do("POST", "/rows/", c.body); a.status != c.status || a.body != c.want {
			t.Errorf("%s: %v, want %d %q", c.body, a, c.status, c.want)
		}
	}
}
