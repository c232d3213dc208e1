package sqlite

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger"
)

func openStore(t testing.TB) *badger.Store {
	t.Helper()
	s, err := badger.Open(badger.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func openConn(t testing.TB) *Conn {
	t.Helper()
	c, err := Open("main", 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// run is an attempt that has a connection.
type run struct {
	t  testing.TB
	s  store.Store
	c  *Conn
	tx store.Tx
}

func begin(t testing.TB, s store.Store, c *Conn) *run {
	r := &run{t: t, s: s, c: c}
	r.tx.Reset(s, 1, store.Quota{}, time.Now())
	c.Begin(t.Context(), r.tx.Part(store.Space(1).In(store.AreaSQL), store.Quota{}), invoke.Machine, false)
	return r
}

// beginLight is begin for a light attempt.
func beginLight(t testing.TB, s store.Store, c *Conn) *run {
	r := &run{t: t, s: s, c: c}
	r.tx.Reset(s, 1, store.Quota{}, time.Now())
	c.BeginLight(t.Context(), r.tx.Part(store.Space(1).In(store.AreaSQL), store.Quota{}), invoke.Machine, false)
	return r
}

// exec runs statements.
func (r *run) exec(sql string) {
	r.t.Helper()
	if err := r.c.guard(func() error { return r.c.db.Exec(sql) }); err != nil {
		r.t.Fatalf("%s: %v (%v)", sql, err, r.c.file.failure)
	}
}

// refuses runs statements of which one fails.
func (r *run) refuses(sql, want string) {
	r.t.Helper()
	if err := r.c.guard(func() error { return r.c.db.Exec(sql) }); err == nil || !strings.Contains(err.Error(), want) {
		r.t.Errorf("%s: %v, want %q", sql, err, want)
	}
}

// rows returns what a query finds, with commas between the columns and spaces between
// the rows.
func (r *run) rows(sql string) string {
	r.t.Helper()
	var rows []string
	err := r.c.guard(func() error {
		s, _, err := r.c.db.Prepare(sql)
		if err != nil {
			return err
		}
		for s.Step() {
			var row []string
			for i := range s.ColumnCount() {
				row = append(row, s.ColumnText(i))
			}
			rows = append(rows, strings.Join(row, ","))
		}
		return s.Close()
	})
	if err != nil {
		r.t.Errorf("%s: %v (%v)", sql, err, r.c.file.failure)
	}
	return strings.Join(rows, " ")
}

func (r *run) finds(sql, want string) {
	r.t.Helper()
	if got := r.rows(sql); got != want {
		r.t.Errorf("%s: %q, want %q", sql, got, want)
	}
}

// commit ends the attempt and returns whether it conflicted.
func (r *run) commit() (conflicted bool) {
	r.t.Helper()
	r.c.End()
	defer r.tx.Close()
	_, err := r.s.Commit(r.t.Context(), r.tx.Effects())
	if err != nil && fault.CodeOf(err) != fault.Conflict {
		r.t.Error(err)
	}
	return err != nil
}

// abort ends the attempt, and nothing that it did is done.
func (r *run) abort() (again bool) {
	again = r.c.End()
	r.tx.Close()
	return again
}

// do runs statements in an attempt of their own.
func do(t testing.TB, s store.Store, c *Conn, sql string) {
	t.Helper()
	r := begin(t, s, c)
	r.exec(sql)
	if r.commit() {
		t.Error("conflict:", sql)
	}
}

func TestCommitsAreSeenByAll(t *testing.T) {
	s := openStore(t)
	c, d := openConn(t), openConn(t)
	do(t, s, c, "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t (v) VALUES ('a')")
	for i := range 10 {
		do(t, s, []*Conn{c, d}[i%2], "INSERT INTO t (v) VALUES ('b')")
	}
	for _, c := range []*Conn{c, d} {
		r := begin(t, s, c)
		r.finds("SELECT count(*), max(id) FROM t", "11,11")
		r.finds("PRAGMA integrity_check", "ok")
		r.abort()
	}
}

// TestAbortedAttempts: what an attempt has done that did not commit is seen by none, on
// whichever connection.
func TestAbortedAttempts(t *testing.T) {
	s := openStore(t)
	do(t, s, openConn(t), "CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER); INSERT INTO t VALUES (1, 0)")
	c, d := openConn(t), openConn(t)
	for i := range 20 {
		r := begin(t, s, c)
		r.exec("UPDATE t SET v = -1; INSERT INTO t SELECT id + 1, v FROM t")
		r.finds("SELECT count(*), min(v) FROM t", "2,-1")
		if !r.abort() {
			t.Fatal("a connection that changed no schema is not used again")
		}
		for _, other := range []*Conn{c, d} {
			r := begin(t, s, other)
			r.finds("SELECT count(*), min(v) FROM t", fmt.Sprintf("1,%d", i))
			r.abort()
		}
		do(t, s, []*Conn{c, d}[i%2], "UPDATE t SET v = v + 1")
	}
}

// TestAbortedSchema: a connection that knows of a schema which was never committed is
// not used again.
func TestAbortedSchema(t *testing.T) {
	s := openStore(t)
	do(t, s, openConn(t), "CREATE TABLE t (a); CREATE INDEX i ON t (a)")
	for _, sql := range []string{"CREATE TABLE u (a)", "DROP TABLE t", "ALTER TABLE t ADD b", "CREATE INDEX j ON t (a)", "DROP INDEX i", "ANALYZE"} {
		r := begin(t, s, openConn(t))
		r.exec(sql)
		if r.abort() {
			t.Error("used again after", sql)
		}
		r = begin(t, s, openConn(t))
		r.finds("SELECT name FROM sqlite_schema", "t i")
		r.abort()
	}
}

func TestWhatIsLeftOpenIsRolledBack(t *testing.T) {
	s := openStore(t)
	c := openConn(t)
	do(t, s, c, "CREATE TABLE t (v)")
	c = openConn(t)
	do(t, s, c, "INSERT INTO t VALUES (1); BEGIN; INSERT INTO t VALUES (2)")
	r := begin(t, s, c)
	r.finds("SELECT v FROM t", "1")
	r.exec("BEGIN; INSERT INTO t VALUES (3); SAVEPOINT a; INSERT INTO t VALUES (4); ROLLBACK TO a; COMMIT")
	r.refuses("INSERT INTO t VALUES (5), (abs(-9223372036854775808))", "integer overflow")
	r.finds("SELECT v FROM t", "1 3")
	r.commit()
	r = begin(t, s, c)
	r.finds("SELECT v FROM t", "1 3")
	r.abort()
}

// TestRowsThatAreLeftOpen: a statement that nobody has brought to its end is not done,
// and what comes after the attempt's effects changes them no more.
func TestRowsThatAreLeftOpen(t *testing.T) {
	s := openStore(t)
	do(t, s, openConn(t), "CREATE TABLE t (v)")
	c := openConn(t)
	long := "INSERT INTO t VALUES (1), (2) RETURNING v /*" + strings.Repeat("x", keptSQL) + "*/"
	for _, sql := range []string{"INSERT INTO t VALUES (1), (2) RETURNING v", long} {
		r := begin(t, s, c)
		rows, err := c.Query(sql, nil)
		if err != nil {
			t.Fatal(err)
		}
		if more, err := rows.Next(); err != nil || !more {
			t.Fatal(more, err)
		}
		again := c.End()
		if !r.tx.ReadOnly() {
			t.Error("the end of an attempt writes")
		}
		r.tx.Close()
		if !again {
			t.Error("the connection is not used again")
		}
		if left := len(slices.Collect(c.db.Stmts())); left != len(c.kept) {
			t.Errorf("%d statements are left, of which %d are kept", left, len(c.kept))
		}
		r = begin(t, s, c)
		r.finds("SELECT count(*) FROM t", "0")
		rows, err = c.Query(sql, nil)
		if err != nil {
			t.Fatal(err)
		}
		if more, err := rows.Next(); err != nil || !more {
			t.Fatal(more, err)
		}
		rows.Close()
		r.finds("SELECT count(*) FROM t", "2")
		r.abort()
	}
}

// TestHistories: what serial runs would not have shown, conflicts.
func TestHistories(t *testing.T) {
	s := openStore(t)
	do(t, s, openConn(t), "CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER); INSERT INTO t VALUES (1, 1), (2, 1)")
	for _, h := range []struct{ name, read, first, second string }{
		{"lost update", "SELECT v FROM t WHERE id = 1", "UPDATE t SET v = v + 1 WHERE id = 1", "UPDATE t SET v = v + 1 WHERE id = 1"},
		{"write skew", "SELECT sum(v) FROM t", "UPDATE t SET v = 0 WHERE id = 1", "UPDATE t SET v = 0 WHERE id = 2"},
		{"phantom", "SELECT count(*) FROM t WHERE v = 7", "INSERT INTO t (v) VALUES (7)", "INSERT INTO t (v) VALUES (7)"},
	} {
		a, b := begin(t, s, openConn(t)), begin(t, s, openConn(t))
		if x, y := a.rows(h.read), b.rows(h.read); x != y {
			t.Errorf("%s: %s and %s", h.name, x, y)
		}
		a.exec(h.first)
		b.exec(h.second)
		if a.commit() || !b.commit() {
			t.Errorf("%s: the second commit is no conflict", h.name)
		}
	}
	only := begin(t, s, openConn(t))
	only.rows("SELECT * FROM t")
	do(t, s, openConn(t), "UPDATE t SET v = 9")
	if only.commit() {
		t.Error("an attempt that only reads conflicts")
	}
}

// TestPageOneRests: a row that fits changes no page but its own, so that commits to
// tables of their own are no conflict.
func TestPageOneRests(t *testing.T) {
	s := openStore(t)
	do(t, s, openConn(t), "CREATE TABLE a (v); CREATE TABLE b (v)")
	x, y := begin(t, s, openConn(t)), begin(t, s, openConn(t))
	x.exec("INSERT INTO a VALUES (1)")
	y.exec("INSERT INTO b VALUES (1)")
	if x.commit() || y.commit() {
		t.Error("commits to two tables conflict")
	}
	r := begin(t, s, openConn(t))
	r.finds("SELECT a.v, b.v FROM a, b", "1,1")
	r.exec("INSERT INTO a VALUES (2)")
	for _, p := range r.tx.Effects().Parts {
		if p.Space.Area() == store.AreaSQL && len(p.Ops) != 1 {
			t.Errorf("a row takes %d pages", len(p.Ops))
		}
	}
	r.commit()
}

// TestTooMuch: a statement that changes more than a commit takes does nothing, and what
// comes after it works.
func TestTooMuch(t *testing.T) {
	s := openStore(t)
	do(t, s, openConn(t), "CREATE TABLE t (v)")
	c := openConn(t)
	r := begin(t, s, c)
	r.exec("INSERT INTO t VALUES (1)")
	r.refuses("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO t SELECT zeroblob(4000) FROM n", "")
	if fault.CodeOf(c.file.failure) != fault.TooLarge {
		t.Error(c.file.failure)
	}
	r.finds("SELECT v FROM t", "1")
	r.exec("INSERT INTO t VALUES (2)")
	r.finds("PRAGMA integrity_check", "ok")
	if r.commit() {
		t.Error("conflict")
	}
	r = begin(t, s, openConn(t))
	r.finds("SELECT v FROM t", "1 2")
	r.finds("PRAGMA integrity_check", "ok")
	r.abort()
}

func TestDeniedStatements(t *testing.T) {
	s := openStore(t)
	c := openConn(t)
	r := begin(t, s, c)
	for _, sql := range []string{
		"ATTACH 'x' AS y", "ATTACH ':memory:' AS y", "VACUUM", "VACUUM INTO 'x'", "CREATE TEMP TABLE x (a)",
		"PRAGMA journal_mode = off", "PRAGMA writable_schema = on", "PRAGMA temp_store_directory = '/'", "PRAGMA cache_spill = on",
		"PRAGMA foreign_keys = off", "PRAGMA page_size = 512", "PRAGMA locking_mode = exclusive", "SELECT load_extension('x')",
		"CREATE VIRTUAL TABLE x USING dbstat", "PRAGMA mmap_size = 1", "PRAGMA hard_heap_limit = 1",
	} {
		r.refuses(sql, "")
	}
	r.finds("SELECT count(*) FROM sqlite_schema", "0")
	r.finds("PRAGMA foreign_keys", "1")
	r.finds("SELECT changes(), total_changes(), last_insert_rowid()", "0,0,0")
	r.exec("CREATE TABLE t (a); INSERT INTO t VALUES (1), (2)")
	r.finds("SELECT changes(), total_changes(), last_insert_rowid()", "2,2,2")
	r.abort()
}

// TestNothingIsLeftForTheNext: an attempt learns nothing of the one before from its
// connection.
func TestNothingIsLeftForTheNext(t *testing.T) {
	s := openStore(t)
	do(t, s, openConn(t), "CREATE TABLE t (a)")
	c := openConn(t)
	do(t, s, c, "INSERT INTO t VALUES (1), (2)")
	r := begin(t, s, c)
	r.finds("SELECT changes(), total_changes(), last_insert_rowid()", "0,0,0")
	r.abort()
}

// TestInterrupt: the end of an attempt's context ends what runs, and the connection is
// good afterwards.
func TestInterrupt(t *testing.T) {
	s := openStore(t)
	c := openConn(t)
	r := begin(t, s, c)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	c.db.SetInterrupt(ctx)
	r.refuses("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n", "interrupt")
	if !r.abort() {
		t.Error("the connection is not used again")
	}
	r = begin(t, s, c)
	r.finds("SELECT 1", "1")
	r.abort()
}

// TestMemory: SQLite has no more than its share, and a connection that wanted more is
// not used again.
func TestMemory(t *testing.T) {
	s := openStore(t)
	r := begin(t, s, openConn(t))
	r.refuses("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) SELECT zeroblob(1000000 + i) AS b FROM n ORDER BY b", "MiB")
	if r.abort() {
		t.Error("the connection is used again")
	}
}

// TestShrink: pages that a database gives back are deleted.
func TestShrink(t *testing.T) {
	s := openStore(t)
	do(t, s, openConn(t), "CREATE TABLE t (v); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) INSERT INTO t SELECT randomblob(4000) FROM n")
	c := openConn(t)
	do(t, s, c, "DELETE FROM t WHERE rowid > 10")
	r := begin(t, s, c)
	r.finds("SELECT count(*) FROM t", "10")
	r.finds("PRAGMA integrity_check", "ok")
	r.abort()
}

// TestKeptStatements: more statements than are kept work, again and again, and one
// within itself.
func TestKeptStatements(t *testing.T) {
	s := openStore(t)
	c := openConn(t)
	r := begin(t, s, c)
	outer, err := c.Query("SELECT 0", nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		for i := range keptStmts + 5 {
			if got := one(t, c, fmt.Sprintf("SELECT %d", i)); got.Int != int64(i) {
				t.Fatal(got)
			}
		}
	}
	if len(c.kept) > keptStmts {
		t.Error(len(c.kept), "are kept")
	}
	if more, err := outer.Next(); err != nil || !more {
		t.Error(more, err)
	}
	if got := one(t, c, "SELECT 0"); got.Int != 0 {
		t.Error(got)
	}
	outer.Close()
	for _, sql := range []string{"", "-- nothing", "SELECT 1; SELECT 2", "SELEKT", "SELECT ?"} {
		if _, err := c.Query(sql, nil); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%q: %v", sql, err)
		}
	}
	if _, err := c.Exec("SELECT 1;\n ", nil); err != nil {
		t.Error(err)
	}
	r.abort()
}

// one returns the only value of the only row that a query finds.
func one(t *testing.T, c *Conn, sql string, args ...Value) Value {
	t.Helper()
	rows, err := c.Query(sql, args)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	if more, err := rows.Next(); err != nil || !more {
		t.Fatal(sql, more, err)
	}
	v, err := rows.Value(0)
	if err != nil {
		t.Fatal(err)
	}
	v.Bytes = slices.Clone(v.Bytes)
	if more, err := rows.Next(); err != nil || more {
		t.Fatal(sql, more, err)
	}
	return v
}

func TestValues(t *testing.T) {
	s := openStore(t)
	do(t, s, openConn(t), "CREATE TABLE t (v)")
	c := openConn(t)
	r := begin(t, s, c)
	for _, want := range []Value{
		{},
		{Kind: Int, Int: math.MinInt64},
		{Kind: Float, Float: -0.5},
		{Kind: Float, Float: math.Inf(1)},
		{Kind: Text, Bytes: []byte{}},
		{Kind: Text, Bytes: []byte("a\x00\xffb")},
		{Kind: Blob, Bytes: []byte{}},
		{Kind: Blob, Bytes: []byte{0, 255}},
		{Kind: Blob, Bytes: make([]byte, 1<<19)},
	} {
		if _, err := c.Exec("DELETE FROM t", nil); err != nil {
			t.Fatal(err)
		}
		res, err := c.Exec("INSERT INTO t VALUES (?)", []Value{want})
		if err != nil || res.Changed != 1 || res.Last == 0 {
			t.Error(res, err)
		}
		got := one(t, c, "SELECT v FROM t")
		if got.Kind != want.Kind || got.Int != want.Int || got.Float != want.Float || !bytes.Equal(got.Bytes, want.Bytes) {
			t.Errorf("%v of %d bytes becomes %v of %d", want.Kind, len(want.Bytes), got.Kind, len(got.Bytes))
		}
	}
	if res, err := c.Exec("SELECT 1", nil); err != nil || res.Changed != 0 {
		t.Error(res, err)
	}
	if _, err := c.Exec("INSERT INTO t VALUES (?)", []Value{{Kind: Blob, Bytes: make([]byte, MaxValue+1)}}); fault.CodeOf(err) != fault.TooLarge {
		t.Error(err)
	}
	r.abort()
}

func TestErrors(t *testing.T) {
	s := openStore(t)
	do(t, s, openConn(t), "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT UNIQUE NOT NULL, r INTEGER REFERENCES t (id)); INSERT INTO t (v) VALUES ('a')")
	r := begin(t, s, openConn(t))
	for sql, want := range map[string]string{
		"INSERT INTO t (v) VALUES ('a')":       "UNIQUE constraint failed: t.v",
		"INSERT INTO t (v) VALUES (NULL)":      "NOT NULL constraint failed: t.v",
		"INSERT INTO t (v, r) VALUES ('b', 9)": "FOREIGN KEY constraint failed",
		"SELECT missing FROM t":                "no such column: missing",
		"ATTACH 'x' AS y":                      "ATTACH, DETACH and VACUUM are refused",
	} {
		if _, err := r.c.Exec(sql, nil); fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.MessageOf(err), want) {
			t.Errorf("%s: %v", sql, err)
		}
	}
	r.finds("SELECT count(*) FROM t", "1")
	r.abort()

	c := openConn(t)
	r = begin(t, s, c)
	if _, err := c.Exec("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO t (v) SELECT i || hex(randomblob(2000)) FROM n", nil); fault.CodeOf(err) != fault.TooLarge {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	c.db.SetInterrupt(ctx)
	if _, err := c.Exec("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n", nil); fault.CodeOf(err) != fault.Deadline {
		t.Error(err)
	}
	r.abort()
}

// fixed is a World in which nothing happens by chance.
type fixed struct{ at time.Time }

func (f fixed) Now() time.Time  { return f.at }
func (fixed) Random(buf []byte) { clear(buf) }

// TestTheWorldIsTheAttempts: what the clock and chance tell a statement is what they tell
// the attempt.
func TestTheWorldIsTheAttempts(t *testing.T) {
	s := openStore(t)
	do(t, s, openConn(t), "CREATE TABLE t (v, at TEXT DEFAULT CURRENT_TIMESTAMP); CREATE INDEX days ON t (date(at))")
	c := openConn(t)
	r := begin(t, s, c)
	c.world = fixed{time.Date(2001, 2, 3, 4, 5, 6, 789e6, time.UTC)}
	for sql, want := range map[string]string{
		"SELECT datetime('now')": "2001-02-03 04:05:06", "SELECT datetime()": "2001-02-03 04:05:06", "SELECT datetime('NOW', '+1 day')": "2001-02-04 04:05:06",
		"SELECT date()": "2001-02-03", "SELECT time('now', 'subsec')": "04:05:06.789", "SELECT unixepoch('now')": "981173106",
		"SELECT strftime('%Y')": "2001", "SELECT strftime('%Y', 'now')": "2001", "SELECT strftime('now %Y', '1999-01-01')": "now 1999",
		"SELECT julianday('now') > 2451943": "1", "SELECT timediff('now', '2001-02-02 04:05:06.789')": "+0000-00-01 00:00:00.000",
		"SELECT CURRENT_TIMESTAMP": "2001-02-03 04:05:06", "SELECT CURRENT_DATE": "2001-02-03", "SELECT CURRENT_TIME": "04:05:06",
		"SELECT date('2020-01-31', '+1 month')": "2020-03-02", "SELECT date('nonsense') IS NULL": "1", "SELECT date(0)": "-4713-11-24",
		"SELECT random()": "0", "SELECT hex(randomblob(2))": "0000",
	} {
		r.finds(sql, want)
	}
	r.exec("INSERT INTO t (v) VALUES (1)")
	r.finds("SELECT at FROM t", "2001-02-03 04:05:06")
	r.finds("SELECT v FROM t WHERE date(at) = '2001-02-03'", "1")
	if plan := r.rows("EXPLAIN QUERY PLAN SELECT v FROM t WHERE date(at) = '2001-02-03'"); !strings.Contains(plan, "days") {
		t.Error("an index of a date is of no use:", plan)
	}
	r.abort()
}

// TestFilesAreOutOfReach: only a connection that is being opened opens a file, once.
func TestFilesAreOutOfReach(t *testing.T) {
	name := opening.name(&file{})
	for i, path := range slices.Repeat([]string{"file:" + name + "?vfs=" + vfsName, "file:/etc/passwd?vfs=" + vfsName}, 2) {
		c, err := sqlite3.Open(path)
		if err == nil != (i == 0) {
			t.Error(path, err)
		}
		if err == nil {
			_ = c.Close()
		}
	}
}
