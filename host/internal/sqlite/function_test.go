package sqlite

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"pgregory.net/rapid"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// answer returns the type and the value that an expression has for parameters, or why it
// has none.
func answer(db *sqlite3.Conn, expression string, args []Value) string {
	s, _, err := db.Prepare("SELECT typeof(v), quote(v) FROM (SELECT " + expression + " AS v)")
	if err != nil {
		return err.Error()
	}
	defer s.Close()
	for i := range args {
		if err := bind(s, i+1, &args[i]); err != nil {
			return err.Error()
		}
	}
	if !s.Step() {
		return fmt.Sprint(s.Err())
	}
	return s.ColumnText(0) + " " + s.ColumnText(1)
}

// TestFunctionsLikeSQLite: what replaces functions of SQLite's does what they do.
func TestFunctionsLikeSQLite(t *testing.T) {
	own, err := sqlite3.Open(":memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = own.Close() })
	r := begin(t, openStore(t), openConn(t))
	defer r.abort()
	text := rapid.StringOfN(rapid.SampledFrom([]rune("aAb%_*?[]^-é\x00🙂")), 0, 12, -1)
	long := rapid.Custom(func(t *rapid.T) string {
		return strings.Repeat(rapid.SampledFrom([]string{"a", "ab", "aab", "é"}).Draw(t, "of"), rapid.IntRange(0, 40).Draw(t, "times")) + text.Draw(t, "end")
	})
	value := rapid.Custom(func(t *rapid.T) Value {
		switch rapid.IntRange(0, 9).Draw(t, "kind") {
		case 0:
			return Value{}
		case 1:
			return Value{Kind: Int, Int: rapid.Int64Range(-20, 200).Draw(t, "n")}
		case 2:
			return Value{Kind: Float, Float: 1.5}
		case 3:
			return Value{Kind: Blob, Bytes: []byte(text.Draw(t, "blob"))}
		case 4, 5:
			return Value{Kind: Text, Bytes: []byte(long.Draw(t, "long"))}
		}
		return Value{Kind: Text, Bytes: []byte(text.Draw(t, "text"))}
	})
	expressions := []string{
		"instr(?, ?)", "replace(?, ?, ?)", "trim(?, ?)", "ltrim(?, ?)", "rtrim(?, ?)", "trim(?)",
		"? LIKE ?", "? LIKE ? ESCAPE ?", "? LIKE ? ESCAPE 'a'", "? LIKE ? ESCAPE '%'", "? GLOB ?", "? NOT LIKE ?",
		"json_patch(?, ?)", "json_patch('{\"a\":1}', '{\"b\":2}')", "json_array(json_patch('{\"a\":1}', '{\"b\":2}'))",
	}
	rapid.Check(t, func(rt *rapid.T) {
		expression := rapid.SampledFrom(expressions).Draw(rt, "expression")
		args := make([]Value, strings.Count(expression, "?"))
		for i := range args {
			args[i] = value.Draw(rt, "argument")
		}
		if got, want := answer(r.c.db, expression, args), answer(own, expression, args); got != want {
			rt.Errorf("%s: %s, want %s", expression, got, want)
		}
	})
}

// TestDeadlineWithinAFunction: no call of a function that is long by itself begins once
// the time is over, and one that is under way comes to its end.
func TestDeadlineWithinAFunction(t *testing.T) {
	const long = "replace(hex(zeroblob(250000)), '0', 'a')"
	c := openConn(t)
	r := begin(t, openStore(t), c)
	defer r.abort()
	for _, call := range []string{
		"instr(" + long + ", " + long + " || 'b')", "replace(" + long + ", substr(" + long + ", 1000) || 'b', 'c')",
		"trim(" + long + ", " + long + ")", "ltrim(" + long + ", " + long + ")", "rtrim(" + long + ", " + long + ")",
		long + " LIKE '%' || substr(" + long + ", 1, 200) || 'b'", long + " GLOB '*' || replace(hex(zeroblob(20)), '00', '[b-da]') || 'b'",
	} {
		ctx, cancel := context.WithCancel(t.Context())
		asked := 0
		c.ctx = asking{ctx, func() {
			if asked++; asked > 3 {
				cancel()
			}
		}}
		c.db.SetInterrupt(context.Background()) // of SQLite's own there is none
		_, err := c.Exec("SELECT sum(length("+call+")) FROM json_each('[1,2,3,4,5,6,7,8]') WHERE value > length("+call+") - length("+call+")", nil)
		if fault.CodeOf(err) != fault.Deadline {
			t.Errorf("%s: %v", call, err)
		}
		cancel()
	}
}

// asking is a context that tells how often it is asked whether it has ended.
type asking struct {
	context.Context
	asked func()
}

func (a asking) Err() error {
	a.asked()
	return a.Context.Err()
}

// TestPatchesAreBounded: json_patch of what would take long is refused.
func TestPatchesAreBounded(t *testing.T) {
	c := openConn(t)
	r := begin(t, openStore(t), c)
	defer r.abort()
	const object = "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20000) SELECT json_group_object('k' || i, 1) FROM n)"
	if _, err := c.Exec("SELECT json_patch("+object+", "+object+")", nil); fault.CodeOf(err) != fault.TooLarge {
		t.Error(err)
	}
	r.finds("SELECT json_patch("+object+", '{\"k1\":2}') ->> 'k1'", "2")
}

// TestFixedPlaces: what differs from time to time is refused in an index, a constraint and
// a column, as SQLite does it, and nowhere else.
func TestFixedPlaces(t *testing.T) {
	own, err := sqlite3.Open(":memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = own.Close() })
	c := openConn(t)
	r := begin(t, openStore(t), c)
	defer r.abort()
	for _, value := range []string{
		"date('now')", "date('NOW', '+1 day')", "time()", "datetime()", "julianday('now')", "unixepoch()", "strftime('%s')", "strftime('%s', 'now')",
		"timediff('now', v)", "current_timestamp", "current_date", "random()", "randomblob(4)", "changes()", "date(v)", "strftime('%Y', v)", "date('2024-01-01')",
	} {
		for i, sql := range []string{
			"CREATE TABLE t (v); INSERT INTO t VALUES ('2024-05-06'); CREATE INDEX i ON t (" + value + ")",
			"CREATE TABLE t (v); CREATE INDEX i ON t (" + value + "); INSERT INTO t VALUES ('2024-05-06')",
			"CREATE TABLE t (v); CREATE INDEX i ON t (v) WHERE " + value + " > 0; INSERT INTO t VALUES ('2024-05-06')",
			"CREATE TABLE t (v, g AS (" + value + ") STORED); INSERT INTO t VALUES ('2024-05-06')",
			"CREATE TABLE t (v, g AS (" + value + ")); INSERT INTO t VALUES ('2024-05-06'); SELECT g FROM t",
			"CREATE TABLE t (v CHECK (" + value + " IS NOT 7)); INSERT INTO t VALUES ('2024-05-06')",
			"CREATE TABLE t (v); CREATE INDEX i ON t (date(v)); INSERT INTO t VALUES (" + strings.ReplaceAll(value, "v)", "'2024-05-06')") + ")",
			"CREATE TABLE t (v DEFAULT (" + strings.ReplaceAll(value, "v)", "'2024-05-06')") + ")); INSERT INTO t DEFAULT VALUES",
		} {
			text := func(err error) string { return strings.TrimPrefix(fmt.Sprint(err), "sqlite3: ") }
			got, want := text(c.db.Exec("SAVEPOINT s; "+sql)), text(own.Exec("SAVEPOINT s; "+sql))
			if got != want {
				t.Errorf("%s in place %d: %s, want %s", value, i, got, want)
			}
			_, _ = c.db.Exec("ROLLBACK TO s; RELEASE s"), own.Exec("ROLLBACK TO s; RELEASE s")
		}
	}
}

// TestMemoryIsKnown: what a connection has is known, and what its functions have with it.
func TestMemoryIsKnown(t *testing.T) {
	c := openConn(t)
	r := begin(t, openStore(t), c)
	defer r.abort()
	before := c.Memory()
	if before < 320<<10 || before > 4<<20 {
		t.Errorf("a new connection has %d bytes", before)
	}
	r.finds("SELECT date('now') > ''", "1")
	if c.Memory() < before+320<<10 {
		t.Errorf("with a clock it has %d, before that %d", c.Memory(), before)
	}
	r.finds("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 10) SELECT count(*) FROM (SELECT zeroblob(1000000 + i) AS b FROM n ORDER BY b)", "10")
	if c.Memory() < before+5<<20 {
		t.Errorf("after a sort of 10 MB it has %d, before that %d", c.Memory(), before)
	}
}
