package sqlite

import (
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/store"
)

// pinned begins a light attempt on a connection after some that have changed nothing.
func pinned(t *testing.T, s store.Store, c *Conn) *run {
	t.Helper()
	for range 3 {
		r := beginLight(t, s, c)
		r.finds("SELECT count(*) FROM t", "2")
		r.abort()
	}
	if !c.pin.held {
		t.Fatal("the connection looks for changes at each statement")
	}
	return beginLight(t, s, c)
}

// TestPin: a connection that no longer looks for changes at each statement does all that
// another does, and sees what others do.
func TestPin(t *testing.T) {
	s, c, other := openStore(t), openConn(t), openConn(t)
	do(t, s, other, "CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 'a'), (2, 'b'); CREATE TABLE u (v)")
	for _, test := range []struct {
		statements []string
		check      string
		want       string
	}{
		{[]string{"UPDATE t SET v = 'c' WHERE id = 1"}, "SELECT v FROM t WHERE id = 1", "c"},
		{[]string{"BEGIN", "SELECT v FROM t", "UPDATE t SET v = 'd' WHERE id = 1", "COMMIT"}, "SELECT v FROM t WHERE id = 1", "d"},
		{[]string{"BEGIN", "SELECT v FROM t", "ROLLBACK"}, "SELECT v FROM t WHERE id = 1", "d"},
		{[]string{"BEGIN", "DELETE FROM t", "ROLLBACK", "UPDATE t SET v = 'e' WHERE id = 2"}, "SELECT v FROM t WHERE id = 2", "e"},
		{[]string{"BEGIN IMMEDIATE", "DELETE FROM t"}, "SELECT count(*) FROM t", "2"},
		{[]string{"SAVEPOINT a", "UPDATE t SET v = 'f'", "ROLLBACK TO a", "RELEASE a"}, "SELECT v FROM t WHERE id = 2", "e"},
		{[]string{"SELECT v FROM t", "ALTER TABLE t ADD COLUMN w DEFAULT 7"}, "SELECT w FROM t WHERE id = 1", "7"},
		{[]string{"DROP TABLE u", "CREATE TABLE u (a, b)", "INSERT INTO u VALUES (1, 2)"}, "SELECT b FROM u", "2"},
		{[]string{"PRAGMA user_version = 5"}, "PRAGMA user_version", "5"},
		{[]string{"PRAGMA integrity_check", "DELETE FROM u WHERE b = 2 RETURNING a"}, "SELECT count(*) FROM u", "0"},
	} {
		r := pinned(t, s, c)
		for _, statement := range test.statements {
			if _, err := c.Exec(statement, nil); err != nil {
				t.Errorf("%s: %v", statement, err)
			}
		}
		again := c.End()
		if _, err := s.Commit(t.Context(), r.tx.Effects()); err != nil {
			t.Errorf("%q: %v", test.statements, err)
		}
		r.tx.Close()
		if !again { // it has changed the schema
			c = openConn(t)
		}
		for _, conn := range []*Conn{other, c} {
			r := beginLight(t, s, conn)
			r.finds(test.check, test.want)
			if again := r.abort(); !again && conn == other {
				other = openConn(t)
			}
		}
	}
	pinned(t, s, c).abort()
	do(t, s, other, "DELETE FROM t WHERE id = 1")
	r := beginLight(t, s, c)
	r.finds("SELECT id FROM t", "2")
	r.abort()
}
