package sqlite

import (
	"fmt"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// with has another connection go on in the transaction of an attempt.
func (r *run) with(c *Conn) {
	r.c = c
	c.Begin(r.t.Context(), r.tx.Part(store.Space(1).In(store.AreaSQL), store.Quota{}), invoke.Machine, false)
}

// TestSchemaOfAnother: a connection that has seen, in one transaction with the one that
// changed it, a schema which was never committed is not used again: the next that is
// committed can have its number.
func TestSchemaOfAnother(t *testing.T) {
	s := openStore(t)
	do(t, s, openConn(t), "CREATE TABLE t (a)")
	seen := openConn(t)
	r := begin(t, s, openConn(t))
	r.exec("CREATE TABLE bad (x)")
	r.c.End()
	r.with(seen)
	r.finds("SELECT count(*) FROM bad", "0")
	r.exec("INSERT INTO bad VALUES (1)")
	again := r.abort()
	do(t, s, openConn(t), "CREATE TABLE good (n)")
	if again {
		r = begin(t, s, seen)
		r.finds("SELECT count(*) FROM good", "0")
		r.refuses("SELECT x FROM bad", "no such table")
		r.abort()
		t.Error("the connection is used again")
	}
	// Rows of another are no schema.
	r = begin(t, s, openConn(t))
	r.exec("INSERT INTO t VALUES (1)")
	r.c.End()
	r.with(openConn(t))
	r.finds("SELECT a FROM t", "1")
	if !r.abort() {
		t.Error("a connection that has seen rows of another is not used again")
	}
}

// TestIdle: after a change of the schema another connection can go on in the
// transaction.
func TestIdle(t *testing.T) {
	s := openStore(t)
	r := begin(t, s, openConn(t))
	for _, step := range []struct {
		sql  string
		idle bool
	}{{"CREATE TABLE t (a)", true}, {"BEGIN", false}, {"INSERT INTO t VALUES (1)", false}, {"COMMIT", true}} {
		r.exec(step.sql)
		if got := r.c.Idle(); got != step.idle {
			t.Errorf("after %s: idle %v", step.sql, got)
		}
	}
	r.c.End()
	r.with(openConn(t))
	r.finds("SELECT a FROM t", "1")
	r.abort()
}

// TestCloseFails: rows that are closed before their end are of a statement whose changes
// may be too many for a transaction; then they are undone.
func TestCloseFails(t *testing.T) {
	s := openStore(t)
	do(t, s, openConn(t), "CREATE TABLE t (v)")
	c := openConn(t)
	many := fmt.Sprintf("INSERT INTO t VALUES %s(zeroblob(4000)) RETURNING rowid", strings.Repeat("(zeroblob(4000)),", 1500))
	for range 2 { // the second is a statement that was kept
		r := begin(t, s, c)
		rows, err := c.Query(many, nil)
		if err != nil {
			t.Fatal(err)
		}
		if more, err := rows.Next(); err != nil || !more {
			t.Fatal(more, err)
		}
		if err := rows.Close(); fault.CodeOf(err) != fault.TooLarge {
			t.Errorf("more than a transaction takes: %v", err)
		}
		r.finds("SELECT count(*) FROM t", "0")
		r.exec("INSERT INTO t VALUES (1)")
		r.finds("SELECT v FROM t", "1")
		r.abort()
	}
}
