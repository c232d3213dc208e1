package sqlite

import (
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/store"
)

// pages returns how many keys of a database, and ranges, an attempt depends on.
func (r *run) pages() (keys, ranges int) {
	for _, part := range r.tx.Reads().Parts {
		if part.Space == store.Space(1).In(store.AreaSQL) {
			keys, ranges = keys+len(part.Keys), ranges+len(part.Ranges)
		}
	}
	return keys, ranges
}

// TestLight: a light attempt reads no page again that its connection has, but depends on
// all of the database; another one reads and depends on what it uses.
func TestLight(t *testing.T) {
	s, c := openStore(t), openConn(t)
	do(t, s, openConn(t), "CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 'a')")
	for i, from := range []func(testing.TB, store.Store, *Conn) *run{beginLight, beginLight, begin, beginLight} {
		r := from(t, s, c)
		r.finds("SELECT v FROM t", "a")
		again := i%2 == 1
		if keys, ranges := r.pages(); again != (ranges == 1) || again != (keys == 0) {
			t.Errorf("attempt %d depends on %d pages and %d ranges", i, keys, ranges)
		}
		if !r.abort() {
			t.Fatal("not used again")
		}
	}
}

// TestLightSees: what its connection has is not shown to a light attempt after a change,
// of whomever.
func TestLightSees(t *testing.T) {
	s, c := openStore(t), openConn(t)
	do(t, s, openConn(t), "CREATE TABLE t (v)")
	finds := func(want string) {
		t.Helper()
		r := beginLight(t, s, c)
		r.finds("SELECT count(*) FROM t", want)
		r.abort()
	}
	finds("0")
	do(t, s, openConn(t), "INSERT INTO t VALUES (1)")
	finds("1")
	r := beginLight(t, s, c)
	r.exec("INSERT INTO t VALUES (2)")
	r.abort()
	finds("1")
	r = beginLight(t, s, c)
	r.exec("BEGIN; INSERT INTO t VALUES (2)")
	r.abort()
	finds("1")
	r = beginLight(t, s, c)
	r.exec("INSERT INTO t VALUES (2)")
	if r.commit() {
		t.Fatal("conflict")
	}
	finds("2")
	r = beginLight(t, s, openConn(t)) // two connections in one transaction, of which neither commits
	r.exec("INSERT INTO t VALUES (3)")
	r.c.End()
	r.with(c)
	r.finds("SELECT count(*) FROM t", "3")
	r.abort()
	finds("2")
}

// TestLightConflicts: one that writes after all rests on what its connection had.
func TestLightConflicts(t *testing.T) {
	s, c := openStore(t), openConn(t)
	do(t, s, openConn(t), "CREATE TABLE a (v); CREATE TABLE b (v)")
	warm := beginLight(t, s, c)
	warm.finds("SELECT count(*) FROM a", "0")
	warm.abort()
	r := beginLight(t, s, c)
	r.finds("SELECT count(*) FROM a", "0")
	do(t, s, openConn(t), "INSERT INTO a VALUES (1)")
	r.exec("INSERT INTO b VALUES (1)")
	if !r.commit() {
		t.Error("committed, though what it has read has changed")
	}
}
