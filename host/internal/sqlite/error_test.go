package sqlite

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// TestCodes: an error of SQLite's has its code, whatever the library makes of it, and none
// of a plugin's own making is taken for damage.
func TestCodes(t *testing.T) {
	s := openStore(t)
	do(t, s, openConn(t), `CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT UNIQUE); INSERT INTO t VALUES (1, 'a');
		CREATE VIRTUAL TABLE f USING fts5 (a); INSERT INTO f (rowid, a) VALUES (1, 'one');
		CREATE TRIGGER no BEFORE DELETE ON t BEGIN SELECT raise(ABORT, 'constraint failed'); END;
		CREATE TABLE last (id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO last VALUES (9223372036854775807);
		CREATE TABLE ec (id INTEGER PRIMARY KEY, body); CREATE VIRTUAL TABLE fec USING fts5 (body, content = 'ec', content_rowid = 'id');
		INSERT INTO fec (rowid, body) VALUES (1, 'hello world')`)
	c := openConn(t)
	r := begin(t, s, c)
	for sql, want := range map[string]uint32{
		"INSERT INTO t (v) VALUES ('a')":             2067,
		"INSERT INTO f (rowid, a) VALUES (1, 'two')": 1555,
		"DELETE FROM t":                                                1811,
		"INSERT INTO t (id) VALUES ('x')":                              20,
		"INSERT INTO last DEFAULT VALUES":                              13,
		"SELECT * FROM fec ('hello')":                                  267,
		"INSERT INTO fec (fec, rank) VALUES ('integrity-check', 1)":    267,
		"SELECT abs(-9223372036854775808)":                             1,
		"VACUUM":                                                       23,
		"PRAGMA journal_mode = off":                                    23,
		"INSERT OR ROLLBACK INTO t (v) VALUES ('a')":                   2067,
		"SELECT json('{')":                                             1,
		"SELECT fts5_get_locale(f, 1) FROM f WHERE f MATCH '\"'":       1,
		"SELECT * FROM pragma_table_info('t') UNION ALL SELECT broken": 1,
	} {
		_, err := c.Exec(sql, nil)
		if fault.CodeOf(err) != fault.Invalid || CodeOf(err) != want {
			t.Errorf("%s: %v of code %d, want %d", sql, err, CodeOf(err), want)
		}
	}
	rows, err := c.Query("SELECT v FROM t", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rows.Next(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Exec("DROP TABLE t", nil); CodeOf(err) != 6 {
		t.Errorf("a table that is read is dropped: %v of code %d", err, CodeOf(err))
	}
	_ = rows.Close()
	r.finds("SELECT count(*) FROM t", "1")
	r.abort()
}

// TestRefusalsSayWhat: what plugins may not do is named, with what to do instead.
func TestRefusalsSayWhat(t *testing.T) {
	s := openStore(t)
	do(t, s, openConn(t), "CREATE TABLE t (a)")
	c := openConn(t)
	r := begin(t, s, c)
	for sql, want := range map[string]string{
		"PRAGMA journal_mode = off":        "PRAGMA journal_mode with a value",
		"PRAGMA Foreign_Keys = off":        "PRAGMA foreign_keys with a value",
		"PRAGMA cache_spill":               "PRAGMA cache_spill",
		"SELECT * FROM pragma_cache_spill": "PRAGMA cache_spill",
		"ATTACH 'x' AS y":                  "[sql.NAME]",
		"DETACH y":                         "DETACH",
		"VACUUM":                           "VACUUM",
		"VACUUM INTO 'x'":                  "VACUUM",
		"/* now */ vacuum":                 "VACUUM",
		"CREATE TEMP TABLE x (a)":          "temporary",
		"CREATE TEMP VIEW x AS SELECT 1":   "temporary",
		"CREATE TEMP TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END": "temporary",
		"CREATE TABLE temp.x (a)":                                     "temporary",
		"CREATE VIEW temp.x AS SELECT 1":                              "temporary",
		"ALTER TABLE t RENAME TO wasmoor_migrations":                  "may not be modified",
		`ALTER TABLE t RENAME TO [Wasmoor_Migrations]`:                "may not be modified",
		"SELECT * FROM sqlite_temp_schema, temp.x":                    "no such table",
		"CREATE VIRTUAL TABLE x USING dbstat":                         "dbstat",
		"SELECT load_extension('x')":                                  "load_extension",
	} {
		_, err := c.Exec(sql, nil)
		if message := fault.MessageOf(err); fault.CodeOf(err) != fault.Invalid || !strings.Contains(message, want) || strings.Contains(message, "not authorized") {
			t.Errorf("%s: %v, want %q", sql, err, want)
		}
	}
	if _, err := c.Exec("SELECT missing", nil); !strings.Contains(fault.MessageOf(err), "no such column: missing") {
		t.Error("after a refusal:", err)
	}
	if !r.abort() {
		t.Error("the connection is not used again")
	}
}

// TestNothingTemporaryByItsSchema: a trigger is told to be of the schema that its table has.
func TestNothingTemporaryByItsSchema(t *testing.T) {
	s := openStore(t)
	do(t, s, openConn(t), "CREATE TABLE t (a)")
	c := openConn(t)
	r := begin(t, s, c)
	if _, err := c.Exec("CREATE TRIGGER temp.x AFTER INSERT ON t BEGIN DELETE FROM t; END", nil); err == nil || !strings.Contains(fault.MessageOf(err), "temporary") {
		t.Error(err)
	}
	r.exec("INSERT INTO t VALUES (5)")
	r.finds("SELECT a FROM t", "5")
	r.abort()
}

// TestCheckAfterOthers: a check of a database sees what other connections have done since
// this one has looked last.
func TestCheckAfterOthers(t *testing.T) {
	s, other := openStore(t), openConn(t)
	do(t, s, other, "CREATE VIRTUAL TABLE [a \"b] USING fts5(a); CREATE VIRTUAL TABLE r USING rtree(id, x, y); INSERT INTO [a \"b] VALUES ('one')")
	for _, check := range []string{"PRAGMA integrity_check", "PRAGMA quick_check", "SELECT * FROM pragma_integrity_check", "SELECT * FROM Pragma_Quick_Check"} {
		c := openConn(t)
		for range 2 {
			r := begin(t, s, c)
			r.finds(`SELECT count(*) > 0 FROM [a "b] WHERE [a "b] MATCH 'one'`, "1")
			r.abort()
			do(t, s, other, `INSERT INTO [a "b] VALUES ('two')`)
			r = begin(t, s, c)
			rows, err := c.Query(check, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := rows.Next(); err != nil {
				t.Error(err)
			}
			if v, err := rows.Value(0); string(v.Bytes) != "ok" {
				t.Errorf("%s: %q, %v", check, v.Bytes, err)
			}
			_ = rows.Close()
			r.abort()
		}
	}
}

// TestPragmasThatRead: what a PRAGMA tells that changes nothing, plugins may ask.
func TestPragmasThatRead(t *testing.T) {
	s := openStore(t)
	do(t, s, openConn(t), "CREATE TABLE t (a UNIQUE); INSERT INTO t VALUES (1)")
	c := openConn(t)
	r := begin(t, s, c)
	for _, sql := range []string{
		"SELECT name FROM pragma_table_info('t')", "PRAGMA table_xinfo(t)", "PRAGMA table_list", "PRAGMA index_list(t)", "PRAGMA index_info(sqlite_autoindex_t_1)",
		"PRAGMA integrity_check", "PRAGMA quick_check(t)", "PRAGMA page_size", "PRAGMA journal_mode", "PRAGMA auto_vacuum", "PRAGMA compile_options",
		"PRAGMA function_list", "PRAGMA module_list", "PRAGMA collation_list", "PRAGMA encoding",
	} {
		if _, err := c.Exec(sql, nil); err != nil {
			t.Errorf("%s: %v", sql, err)
		}
	}
	r.finds("PRAGMA journal_mode", "memory")
	r.finds("PRAGMA auto_vacuum", "0")
	if !r.tx.ReadOnly() {
		t.Error("they write")
	}
	if !r.abort() {
		t.Error("the connection is not used again")
	}
}

// TestManifestListsPragmas: MANIFEST.md has the list of the PRAGMAs that plugins may use.
func TestManifestListsPragmas(t *testing.T) {
	text, err := os.ReadFile("../../../sdk/MANIFEST.md")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(text), "- **`PRAGMA`.** ")
	list, _, _ = strings.Cut(list, "\n")
	var got, want []string
	for _, name := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(list, -1) {
		got = append(got, name[1])
	}
	for name := range pragmas {
		want = append(want, name)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("MANIFEST.md lists %q, and there are %q", got, want)
	}
}
