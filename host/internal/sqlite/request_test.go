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

// TestAbortedIndexes: what a virtual table knows in its connection is that of the attempt.
func TestAbortedIndexes(t *testing.T) {
	s := openStore(t)
	do(t, s, openConn(t), "CREATE VIRTUAL TABLE f USING fts5 (a); CREATE VIRTUAL TABLE r USING rtree (id, x1, x2); INSERT INTO f VALUES ('one'), ('one two'); INSERT INTO r VALUES (1, 1, 2)")
	c, d := openConn(t), openConn(t)
	for i := range 20 {
		r := begin(t, s, c)
		r.exec("INSERT INTO f VALUES ('bad one'); INSERT INTO r VALUES (99, 5, 6); UPDATE f SET a = 'bad two' WHERE a = 'one'")
		if i%3 == 0 {
			r.exec("BEGIN; INSERT INTO f SELECT 'bad ' || a FROM f")
		}
		r.finds("SELECT count(*) > 0 FROM f WHERE f MATCH 'bad'", "1")
		if !r.abort() {
			t.Fatal("not used again")
		}
		r = begin(t, s, c)
		r.finds("SELECT count(*) FROM f WHERE f MATCH 'bad'", "0")
		r.finds("SELECT id FROM r WHERE x1 > 4", "")
		r.exec("INSERT INTO f(f) VALUES ('integrity-check')")
		r.abort()
		do(t, s, d, fmt.Sprintf("INSERT INTO f VALUES ('one w%d'); INSERT INTO r VALUES (%d, 1, 2)", i, i+10))
		r = begin(t, s, c)
		r.finds("SELECT count(*) FROM f WHERE f MATCH 'one'", fmt.Sprint(i+3))
		r.finds("SELECT count(*) FROM r WHERE x1 < 4", fmt.Sprint(i+2))
		r.abort()
	}
	r := begin(t, s, c) // settings, too
	r.exec("INSERT INTO f (f, rank) VALUES ('rank', 'bm25(10.0)')")
	if r.abort() {
		do(t, s, openConn(t), "INSERT INTO f (f, rank) VALUES ('rank', 'bm25(0.0)')")
		const ranks = "SELECT DISTINCT rank FROM f WHERE f MATCH 'one'"
		r = begin(t, s, openConn(t))
		want := r.rows(ranks)
		r.abort()
		r = begin(t, s, c)
		r.finds(ranks, want)
		r.abort()
		t.Error("used again with settings that were never committed")
	}
}
