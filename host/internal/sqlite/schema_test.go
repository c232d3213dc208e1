package sqlite

import "testing"

// TestAlter: every form of ALTER TABLE is for plugins, and leaves nothing temporary that
// they can reach.
func TestAlter(t *testing.T) {
	s := openStore(t)
	do(t, s, openConn(t), `CREATE TABLE t (a, b, c); CREATE INDEX i ON t (a); CREATE VIEW v AS SELECT a FROM t; INSERT INTO t VALUES (1, 2, 3);
		CREATE TRIGGER g AFTER INSERT ON t BEGIN UPDATE t SET c = 4; END`)
	for _, sql := range []string{"ALTER TABLE t DROP COLUMN b", "ALTER TABLE t RENAME COLUMN a TO x", "ALTER TABLE t RENAME TO u", "ALTER TABLE u ADD COLUMN d DEFAULT 5"} {
		c := openConn(t)
		r := begin(t, s, c)
		if _, err := c.Exec(sql, nil); err != nil {
			t.Errorf("%s: %v", sql, err)
		}
		if r.commit() || !c.spent {
			t.Errorf("%s: the connection would be used again", sql)
		}
	}
	r := begin(t, s, openConn(t))
	r.finds("SELECT * FROM u", "1,3,5")
	r.finds("SELECT * FROM v", "1")
	for _, sql := range []string{
		"UPDATE temp.sqlite_master SET sql = ''", "INSERT INTO sqlite_temp_master VALUES ('table', 'x', 'x', 2, '')", "DELETE FROM sqlite_temp_schema",
		"CREATE TABLE temp.x (a)",
	} {
		r.refuses(sql, "")
	}
	r.finds("SELECT count(*) FROM sqlite_temp_schema", "0")
	r.abort()
}

// TestSchemaThatOthersChanged: a connection that knows the schema of an attempt before
// compiles its first statement by the one that there is.
func TestSchemaThatOthersChanged(t *testing.T) {
	for _, test := range []struct{ change, statement, query string }{
		{"DROP INDEX i", "CREATE INDEX i ON t (a)", "SELECT count(*) FROM pragma_index_list('t')"},
		{"DROP TABLE other", "CREATE TABLE other (b)", "SELECT count(b) + 1 FROM other"},
		{"ALTER TABLE t ADD COLUMN b", "INSERT INTO t VALUES (2, 1)", "SELECT b FROM t"},
		{"ALTER TABLE t RENAME COLUMN a TO b", "ALTER TABLE t ADD COLUMN a", "SELECT count(a) + 1 FROM t"},
		{"ALTER TABLE other RENAME TO another", "ALTER TABLE t RENAME TO other", "SELECT count(*) + 1 FROM other"},
		{"CREATE TABLE new (a UNIQUE)", "PRAGMA index_list(new)", "SELECT seq + 1 FROM pragma_index_list('new')"},
	} {
		s, c := openStore(t), openConn(t)
		do(t, s, openConn(t), "CREATE TABLE t (a); CREATE INDEX i ON t (a); CREATE TABLE other (a)")
		do(t, s, c, "SELECT count(*) FROM t")
		do(t, s, openConn(t), test.change)
		r := begin(t, s, c)
		if _, err := c.Exec(test.statement, nil); err != nil {
			t.Errorf("after %s: %s: %v", test.change, test.statement, err)
		} else if got := one(t, c, test.query); got.Int != 1 {
			t.Errorf("after %s and %s: %s: %v", test.change, test.statement, test.query, got)
		}
		r.abort()
	}
}
