package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// sqlServer is a server whose plugins are kvguests with a database.
type sqlServer struct{ *server }

func serveSQL(t *testing.T, flags ...string) sqlServer {
	t.Helper()
	return sqlServer{serve(t, t.TempDir(), flags...)}
}

// deploySQL deploys kvguest with a database, and has it make tables.
func (s sqlServer) deploySQL(t *testing.T, plugin string, tables []string, lines ...string) {
	t.Helper()
	s.deploy(plugin, pack(t, goGuest(t, "testdata/kvguest"), plugin, append([]string{"[kv]", "[sql.main]"}, lines...)...))
	for _, table := range tables {
		s.wants(t, plugin, []string{"exec CREATE TABLE " + table}, "ok 0")
	}
}

// says has a plugin do a script, and returns what it says to each line.
func (s sqlServer) says(t *testing.T, plugin string, script ...string) []string {
	t.Helper()
	a := s.do("POST", "/"+plugin+"/", strings.Join(script, "\n"))
	return strings.Split(strings.TrimSuffix(a.body, "\n"), "\n")
}

// wants has a plugin do a script, and wants it to say something; "" = whatever.
func (s sqlServer) wants(t *testing.T, plugin string, script []string, want ...string) {
	t.Helper()
	got := s.says(t, plugin, script...)
	for i := range want {
		if i >= len(got) || want[i] != "" && !strings.Contains(got[i], want[i]) || want[i] == "" && len(got) != len(want) {
			t.Errorf("%s says\n%q\nwant\n%q\nto\n%q", plugin, got, want, script)
			return
		}
	}
}

// listTable is what kvguest keeps its lists in.
const listTable = "lists (list TEXT, n INTEGER, element TEXT, PRIMARY KEY (list, n)) WITHOUT ROWID"

// TestSQLWithCalls has 64 clients read and write one list in SQL with a call of a service
// in between: nobody is refused, and each call is made once.
func TestSQLWithCalls(t *testing.T) {
	t.Parallel()
	const clients = 64
	rounds := often(2, 50)
	s := serveSQL(t, "--outbound-allow-networks", "127.0.0.1/32")
	var mu sync.Mutex
	asked := map[string]int{}
	origin := service(t, func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked[r.URL.Path]++
	})
	s.deploySQL(t, "kv", []string{listTable}, allowing(origin), "[limits]", `deadline = "60s"`)
	parallel(clients, func(c int) {
		for round := range rounds {
			id := fmt.Sprintf("/%d.%d", c, round)
			if a := s.do("POST", "/kv/", "sqlget one\npost "+origin+id+"\nsqlappend one "+id+"\nadd n 1"); a.status != 200 {
				t.Errorf("%s: %v", id, a)
			}
		}
	})
	list, _ := strconv.Unquote(s.says(t, "kv", "sqlget one")[0])
	elements := strings.Split(list, ",")
	slices.Sort(elements)
	if n := len(slices.Compact(elements)); n != clients*rounds {
		t.Errorf("the list has %d elements, want %d", n, clients*rounds)
	}
	s.wants(t, "kv", []string{"int n"}, strconv.Itoa(clients*rounds))
	for id, n := range asked {
		if n != 1 {
			t.Errorf("%s was asked %d times", id, n)
		}
	}
	if len(asked) != clients*rounds {
		t.Errorf("%d calls were made, want %d", len(asked), clients*rounds)
	}
}

// TestSQLThatDoesNotCommit has requests that do not commit, of every kind, among others
// that do: no statement ever sees a row, a table or a deletion of those, by the table, by
// its index or by words.
func TestSQLThatDoesNotCommit(t *testing.T) {
	t.Parallel()
	s := serveSQL(t)
	tables := []string{"t (id INTEGER PRIMARY KEY, mark TEXT, pad BLOB)", "other (a)"}
	s.deploySQL(t, "kv", tables, "[limits]", `deadline = "60s"`)
	s.deploySQL(t, "short", tables, "[limits]", `deadline = "300ms"`)
	s.wants(t, "kv", []string{
		"exec CREATE INDEX marks ON t (mark)", "exec CREATE VIRTUAL TABLE f USING fts5 (mark)",
		"exec CREATE TRIGGER words AFTER INSERT ON t BEGIN INSERT INTO f VALUES (new.mark); END",
	}, "ok 0", "ok", "ok 0")
	const insert = "exec INSERT INTO t (mark, pad) VALUES ('%s', randomblob(%d))"
	bad := fmt.Sprintf(insert, "bad", 1500)
	const schema = "query SELECT group_concat(sql, '; ') FROM sqlite_schema"
	want, wantShort := s.says(t, "kv", schema)[0], s.says(t, "short", schema)[0]
	const endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
	failing := map[string][]string{
		"writes":                                {bad, bad, "status 500"},
		"a table":                               {"exec CREATE TABLE bad (a)", "exec INSERT INTO bad VALUES (1)", bad, "status 500"},
		"a column":                              {"exec ALTER TABLE other ADD COLUMN bad", bad, "status 500"},
		"no table":                              {"exec DROP TABLE other", "exec DELETE FROM t", "status 500"},
		"an index":                              {"exec CREATE INDEX bad ON t (mark)", "query SELECT count(*) FROM t WHERE mark = 'good'", "abort"},
		"an update":                             {"exec UPDATE t SET mark = 'bad'", "exec INSERT INTO f (f) VALUES ('rebuild')", "status 500"},
		"words":                                 {"exec DELETE FROM f", "exec INSERT INTO f (f, rank) VALUES ('rank', 'bad()')", "abort"},
		"nothing":                               {"exec DELETE FROM t", "query SELECT count(*) FROM t", "status 500"},
		"a transaction":                         {"exec BEGIN", bad, "status 500"},
		"one that is open":                      {"exec BEGIN", bad, "query SELECT count(*) FROM t"},
		"a savepoint":                           {"exec SAVEPOINT a", bad, "exec SAVEPOINT b", bad, "abort"},
		"a query":                               {bad, "open SELECT id, mark, pad FROM t", "status 500"},
		"a query of changes":                    {"open INSERT INTO t (mark) VALUES ('bad'), ('bad') RETURNING id", "status 500"},
		"rows of a delete":                      {"open DELETE FROM t RETURNING id", "open SELECT * FROM t", "abort"},
		"a query that is left open":             {"open INSERT INTO t (mark, pad) VALUES ('bad', 'one'), ('bad', hex(zeroblob(10000))) RETURNING pad", "status 500"}, // its second row is in no page
		"a trap":                                {bad, "open SELECT * FROM t", "panic"},
		"a trap in the middle of a transaction": {"exec BEGIN", "exec DELETE FROM t", "exec CREATE TABLE bad (a)", "panic"},
		"a failed statement":                    {"exec INSERT INTO t (id, mark) SELECT 1000000, 'bad' UNION ALL SELECT 1000000, 'bad'"},
		"what is too much":                      {"exec BEGIN", bad, "exec " + endless + "INSERT INTO t (mark, pad) SELECT 'bad', zeroblob(4000) FROM n LIMIT 2000", "exec COMMIT"},
	}
	var stop atomic.Bool
	var begun, committed atomic.Int64
	var all sync.WaitGroup
	for _, script := range failing {
		all.Go(func() {
			for !stop.Load() {
				s.says(t, "kv", script...)
			}
		})
	}
	all.Go(func() { // the deadline ends it in the middle
		for !stop.Load() {
			if a := s.do("POST", "/short/", bad+"\nexec CREATE TABLE bad (a)\nquery "+endless+"SELECT count(*) FROM n"); a.status != 504 {
				t.Errorf("a statement without an end: %v", a)
			}
			s.wants(t, "short", []string{schema, "query SELECT count(*) FROM t"}, wantShort, "0")
		}
	})
	start := time.Now()
	const counts = "query SELECT count(*), (SELECT count(*) FROM t INDEXED BY marks WHERE mark = 'good'), (SELECT count(*) FROM f WHERE f MATCH 'good') FROM t NOT INDEXED"
	for client := range 3 {
		all.Go(func() {
			defer stop.Store(true)
			for n := 0; n < often(20, 500) || time.Since(start) < time.Second; n++ {
				begun.Add(1)
				if a := s.do("POST", "/kv/", fmt.Sprintf(insert, "good", 200*client)); a.status != 200 || a.body != "ok 1\n" {
					t.Errorf("a row that is to stay: %v", a)
					return
				}
				committed.Add(1)
				least := committed.Load()
				got := s.says(t, "kv", counts, "query PRAGMA integrity_check", "query SELECT count(*) FROM t WHERE mark <> 'good'", schema, "query SELECT count(*) FROM other")
				var table, index, words int64
				if _, err := fmt.Sscanf(got[0], "%d,%d,%d", &table, &index, &words); err != nil || table < least || table > begun.Load() || index != table || words != table {
					t.Errorf("there are %s rows by the table, its index and its words, want from %d to %d (%v)", got[0], least, begun.Load(), err)
				}
				if !slices.Equal(got[1:], []string{"ok", "0", want, "0"}) {
					t.Errorf("the rest is %q", got[1:])
				}
			}
		})
	}
	all.Wait()
	n := fmt.Sprint(committed.Load())
	s.wants(t, "kv", []string{counts, "query PRAGMA integrity_check", schema}, n+","+n+","+n, "ok", want)
}

// TestSQLBetweenPlugins has plugins call each other with a database in use.
func TestSQLBetweenPlugins(t *testing.T) {
	t.Parallel()
	s := serveSQL(t)
	for _, name := range []string{"a", "b"} {
		s.deploySQL(t, name, []string{"t (name TEXT)"}, "[services]", `a = "a"`, `b = "b"`)
	}
	const busy = "a request that called this one is in the middle of a transaction or a query of the database: end it before the call"
	const all = "query SELECT group_concat(name) FROM t"
	insert := func(name string) string { return "exec INSERT INTO t VALUES ('" + name + "')" }
	for _, begin := range []string{"exec BEGIN", "exec SAVEPOINT a", "open SELECT 1 UNION SELECT 2", "open INSERT INTO t VALUES ('gone') RETURNING name"} {
		s.wants(t, "a", []string{begin, "on b on a " + all, "on b on a " + insert("refused"), "on b " + all, "abort"}, "", busy, busy, "", "ok")
	}
	s.wants(t, "a", []string{
		insert("a1"), "on b on a " + all, "on b on a " + insert("a2"), all, // each sees what the other has written
		"on b fail on a " + insert("gone"), all, "on b trap on a " + insert("gone"), all, // the callee's part is undone alone
		insert("a3"), "on b on a " + all, "on b " + insert("b1"), "on b " + all,
	}, "ok 1", "a1", "ok 1", "a1,a2",
		"ok 1", "a1,a2", "502", "a1,a2",
		"ok 1", "a1,a2,a3", "ok 1", "b1")
	s.wants(t, "a", []string{all, "on b " + all}, "a1,a2,a3", "b1")
	s.wants(t, "a", []string{ // a table of the caller's, and one of the callee's
		"exec CREATE TABLE u (n)", "on b on a exec INSERT INTO u VALUES (1)", "on b on a exec CREATE TABLE v AS SELECT n + 1 AS n FROM u",
		"query SELECT u.n, v.n FROM u, v", "on b fail on a exec DROP TABLE v", "query SELECT n FROM v", "exec BEGIN", "exec DELETE FROM u", "exec ROLLBACK",
		"on b on a query SELECT count(*) FROM u",
	}, "ok 0", "ok 1", "ok 0", "1,2", "ok 0", "2", "ok 0", "ok 1", "ok 0", "1")
	s.wants(t, "b", []string{insert("b2"), "on a " + insert("a4"), "status 500"}, "ok 1", "ok 1", "ok")
	s.wants(t, "b", []string{all, "on a " + all}, "b1", "a1,a2,a3")
}
