//go:build cguest

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// TestCSQL uses what wasmoor.h has for SQL: parameters by name and by place, values of each
// type, columns, rows over many pages in an arena that they would fill, a row that is
// larger than a page, and what is wrong.
func TestCSQL(t *testing.T) {
	t.Parallel()
	s := sqlServer{serve(t, t.TempDir())}
	s.deploySQL(t, "c", []string{"t (id INTEGER PRIMARY KEY, word TEXT UNIQUE, half REAL, bytes BLOB)"})
	s.deploy("c", pack(t, buildC(t, "../../sdk/c/testdata/sql.c"), "c", "[kv]", "[sql.main]"))
	var words []string
	for i := range 300 {
		words = append(words, fmt.Sprint("w", i))
	}
	const columns = "id:INTEGER word:TEXT half:REAL hex(zeroblob(?2)): "
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/c/", "", 200, columns + " 0 rows, 0"},
		{"POST", "/c/", strings.Join(words, " "), 200, "300 rows, last 300"},
		{"POST", "/c/", "new w7", 409, "2067 constraint failed: UNIQUE constraint failed: t.word"},
		{"POST", "/c/", "x", 200, "1 rows, last 302"},
		{"GET", "/c/?padding=500", "", 200, columns + "w0w1 302 rows, 302000"}, // more than the arena has
		{"GET", "/c/?padding=20000", "", 200, columns + "w0w1 302 rows, 12080000"},
	} {
		if a := s.do(c.method, c.path, c.body); a.status != c.status || a.body != c.want {
			t.Errorf("%s %.40q: %v, want %d %q", c.method, c.body, a, c.status, c.want)
		}
	}
}
