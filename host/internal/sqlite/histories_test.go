package sqlite

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"pgregory.net/rapid"

	"github.com/wasmoor/wasmoor/host/internal/store"
)

// contents is what a table of ids and numbers holds.
type contents map[int]int

func (t contents) String() string {
	var rows []string
	for _, id := range slices.Sorted(maps.Keys(t)) {
		rows = append(rows, fmt.Sprintf("%d,%d", id, t[id]))
	}
	return strings.Join(rows, " ")
}

// change is one statement, and what it does to a table.
type change struct {
	sql string
	to  func(contents)
}

func drawChange(t *rapid.T) change {
	id, v, rest := rapid.IntRange(0, 40).Draw(t, "id"), rapid.IntRange(0, 99).Draw(t, "v"), rapid.IntRange(0, 2).Draw(t, "rest")
	set := change{
		fmt.Sprintf("INSERT INTO t (id, v) VALUES (%d, %d) ON CONFLICT DO UPDATE SET v = excluded.v", id, v),
		func(t contents) { t[id] = v },
	}
	bump := change{fmt.Sprintf("UPDATE t SET v = v + 1 WHERE v %% 3 = %d", rest), func(t contents) {
		for id, v := range t {
			if v%3 == rest {
				t[id] = v + 1
			}
		}
	}}
	remove := change{fmt.Sprintf("DELETE FROM t WHERE id = %d", id), func(t contents) { delete(t, id) }}
	undone := change{"SAVEPOINT a; " + set.sql + "; ROLLBACK TO a; RELEASE a", func(contents) {}}
	within := change{"BEGIN; " + remove.sql + "; " + set.sql + "; COMMIT", set.to}
	dropped := change{"BEGIN; " + bump.sql + "; ROLLBACK", func(contents) {}}
	return rapid.SampledFrom([]change{set, set, set, bump, remove, undone, within, dropped}).Draw(t, "change")
}

// attempted is an attempt with what it has seen and done.
type attempted struct {
	*run
	sees contents
	did  []change
}

const everything = "SELECT id, v FROM t ORDER BY id"

// TestAttemptsOverlap: attempts that overlap and commit or abort, on connections that
// go from one to the next, each see their snapshot and what they did themselves, and
// what is committed is what one after the other would have left.
func TestAttemptsOverlap(t *testing.T) {
	s := openStore(t)
	do(t, s, openConn(t), "CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER, pad DEFAULT (zeroblob(700))); CREATE INDEX vs ON t (v)")
	conns := []*Conn{openConn(t), openConn(t), openConn(t)}
	rapid.Check(t, func(rt *rapid.T) {
		do(t, s, conns[0], "DELETE FROM t")
		committed := contents{}
		open := map[int]*attempted{}
		defer func() {
			for _, a := range open {
				a.abort()
			}
		}()
		for range rapid.IntRange(5, 40).Draw(rt, "steps") {
			i := rapid.IntRange(0, len(conns)-1).Draw(rt, "connection")
			a := open[i]
			if a == nil {
				from := begin
				if rapid.Bool().Draw(rt, "light") {
					from = beginLight
				}
				a = &attempted{run: from(t, s, conns[i]), sees: maps.Clone(committed)}
				open[i] = a
			}
			if got := a.rows(everything); got != a.sees.String() {
				rt.Fatalf("an attempt sees %s, want %v", got, a.sees)
			}
			switch rapid.IntRange(0, 5).Draw(rt, "step") {
			case 0:
				delete(open, i)
				if !a.abort() {
					rt.Fatal("a connection is not used again")
				}
			case 1:
				delete(open, i)
				only := a.tx.ReadOnly() // then it came before all that it has not seen
				if !a.commit() && !only {
					for _, c := range a.did {
						c.to(committed)
					}
				}
				check(t, rt, s, conns[i], committed)
			default:
				c := drawChange(rt)
				a.exec(c.sql)
				c.to(a.sees)
				a.did = append(a.did, c)
			}
		}
	})
}

// check looks at what is committed.
func check(t *testing.T, rt *rapid.T, s store.Store, c *Conn, want contents) {
	r := begin(t, s, c)
	defer r.abort()
	if got := r.rows(everything); got != want.String() {
		rt.Fatalf("%s is committed, want %v", got, want)
	}
	if got := r.rows("PRAGMA integrity_check"); got != "ok" {
		rt.Fatal(got)
	}
}

// statements are what TestLikeSQLite runs, with numbers in place of %d.
var statements = []string{
	"INSERT INTO a (id, name, n) VALUES (%d, 'name%d', %d)",
	"INSERT INTO a (name, n) VALUES ('name%d', %d), ('name%d', NULL), ('other', %d)",
	"INSERT OR REPLACE INTO a (id, name, n) VALUES (%d, 'name%d', %d)",
	"INSERT INTO a (id, name, n) VALUES (%d, 'name%d', %d) ON CONFLICT (name) DO UPDATE SET n = n + excluded.n RETURNING id, name, n",
	"UPDATE a SET n = n + %d WHERE id > %d RETURNING id, n",
	"UPDATE a SET id = id + %d",
	"UPDATE OR IGNORE a SET name = 'name%d' WHERE n > %d",
	"DELETE FROM a WHERE id = %d",
	"DELETE FROM a WHERE n < %d RETURNING name",
	"INSERT INTO b (a, body) VALUES (%d, hex(zeroblob(%d00)))",
	"UPDATE b SET body = body || body WHERE id = %d",
	"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) INSERT INTO a (name, n) SELECT 'many' || i || '-%d', i FROM n",
	"SELECT name, n, sum(n) OVER (ORDER BY id), (SELECT count(*) FROM b WHERE a = a.id) FROM a ORDER BY id LIMIT %d OFFSET %d",
	"SELECT a.name, length(b.body) FROM a JOIN b ON b.a = a.id WHERE a.n %% 7 = %d ORDER BY b.id",
	"SELECT json_object('n', n, 'name', name) FROM a WHERE name LIKE 'name%d%%' ORDER BY name COLLATE NOCASE",
	"SELECT count(*), max(id), min(name), total(n), group_concat(id) FROM (SELECT * FROM a ORDER BY id)",
	"SELECT what, count(*) FROM log GROUP BY what ORDER BY what",
	"SELECT last_insert_rowid() > 0, abs(%d - 5), 1 / 0",
	"CREATE TABLE x%d (v)", "DROP TABLE IF EXISTS x%d", "CREATE INDEX i%d ON a (n, id)", "DROP INDEX i%d",
	"SELECT name FROM sqlite_schema ORDER BY name",
	"BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT s%d", "ROLLBACK TO s%d", "RELEASE s%d",
}

const world = `
CREATE TABLE a (id INTEGER PRIMARY KEY, name TEXT UNIQUE, n INTEGER CHECK (n < 500));
CREATE TABLE b (id INTEGER PRIMARY KEY AUTOINCREMENT, a INTEGER REFERENCES a (id) ON DELETE CASCADE ON UPDATE CASCADE, body TEXT);
CREATE TABLE log (what TEXT);
CREATE TRIGGER gone AFTER DELETE ON a BEGIN INSERT INTO log VALUES ('gone'); END;
CREATE TRIGGER new AFTER INSERT ON b WHEN new.a = 3 BEGIN SELECT raise(ABORT, 'three'); END;`

// TestLikeSQLite: statements find, change and refuse what they do in a database that is
// SQLite's own, though attempts with other connections come between them.
func TestLikeSQLite(t *testing.T) {
	s := openStore(t)
	do(t, s, openConn(t), world)
	own, err := sqlite3.Open(":memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = own.Close() })
	if err := own.Exec(world); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	r := begin(t, s, openConn(t))
	for n := range 2_000 {
		sql := statements[random.IntN(len(statements))]
		var args []any
		for range strings.Count(strings.ReplaceAll(sql, "%%", ""), "%d") {
			args = append(args, random.IntN(12))
		}
		sql = fmt.Sprintf(sql, args...)
		if got, want := outcome(r.c.db, sql), outcome(own, sql); got != want {
			t.Fatalf("statement %d, %s: %s, want %s (%v)", n, sql, got, want, r.c.file.failure)
		}
		if own.GetAutocommit() && random.IntN(4) == 0 {
			if r.commit() {
				t.Fatal("conflict")
			}
			c := r.c
			if c.spent || random.IntN(3) == 0 {
				c = openConn(t)
			}
			r = begin(t, s, c)
			c.db.SetLastInsertRowID(own.LastInsertRowID())
		}
	}
	r.finds("PRAGMA integrity_check", "ok")
	r.abort()
}

// outcome returns what a statement finds, or why it fails.
func outcome(c *sqlite3.Conn, sql string) string {
	before := c.TotalChanges()
	var all []string
	s, _, err := c.Prepare(sql)
	if err == nil {
		for s.Step() {
			for i := range s.ColumnCount() {
				all = append(all, s.ColumnText(i))
			}
			all = append(all, "/")
		}
		err = s.Err()
		_ = s.Close()
	}
	return fmt.Sprint(all, err, c.TotalChanges()-before)
}
