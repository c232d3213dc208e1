package e2e

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

// counting is a query that counts up, for ever without a LIMIT.
const counting = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n%s) "

func countingTo(n int) string { return fmt.Sprintf(counting, fmt.Sprint(" LIMIT ", n)) }

// TestSQLLimits: a statement that wants more than it may have is refused with a reason,
// changes nothing, and the request goes on.
func TestSQLLimits(t *testing.T) {
	t.Parallel()
	s := serveSQL(t)
	s.deploySQL(t, "kv", []string{"t (a, b)"}, "[limits]", `deadline = "60s"`)
	const count = "query SELECT count(*) FROM t"
	tooMuch := "exec " + countingTo(2000) + "INSERT INTO t SELECT i, zeroblob(4000) FROM n"
	sort := "open " + countingTo(100_000) + "SELECT i, hex(zeroblob(500 + i % 7)) AS b FROM n ORDER BY b"
	for name, c := range map[string]struct{ script, want []string }{
		"more than a commit takes": {
			[]string{"exec INSERT INTO t VALUES (1, 'kept')", tooMuch, count, "exec INSERT INTO t VALUES (2, 'kept')", count},
			[]string{"ok 1", "one invocation writes at most", "1", "ok 1", "2"},
		},
		"the same in a transaction": {
			[]string{"exec BEGIN", "exec INSERT INTO t VALUES (1, 'gone')", tooMuch, "exec COMMIT", count, "exec INSERT INTO t VALUES (2, 'kept')", count},
			[]string{"ok 0", "ok 1", "ok 2000", "one invocation writes at most", "0", "ok 1", "1"},
		},
		"a sort of 100 MB": {
			[]string{"exec INSERT INTO t VALUES (1, 'kept')", sort, count, "exec INSERT INTO t VALUES (2, 'kept')", count},
			[]string{"ok 1", "SQLite has no more than 32 MiB", "1", "ok 1", "2"},
		},
		"what is open then": {
			[]string{"open SELECT 1 UNION ALL SELECT hex(zeroblob(10000))", "exec BEGIN", "exec INSERT INTO t VALUES (1, 'gone')", sort, count, "exec COMMIT"},
			[]string{"1", "ok 0", "ok 1", "SQLite has no more than 32 MiB", "0", "no transaction is active"},
		},
		"a value": {
			[]string{"query SELECT length(zeroblob(1048577))", "query SELECT length(randomblob(1048577))", "query SELECT length(zeroblob(1048576))"},
			[]string{"at most 1048576 bytes", "at most 1048576 bytes", "1048576"},
		},
	} {
		s.wants(t, "kv", append(c.script, "abort"), append(c.want, "ok")...)
		if t.Failed() {
			t.Fatal(name)
		}
	}
	for _, statement := range []string{
		"ATTACH ':memory:' AS other", "ATTACH 'file:/etc/passwd' AS other", "DETACH main", "VACUUM", "VACUUM INTO '/tmp/stolen'",
		"CREATE TEMP TABLE u (a)", "CREATE TEMP VIEW u AS SELECT 1", "CREATE TABLE temp.u (a)", "CREATE VIRTUAL TABLE u USING csv (a)",
		"PRAGMA journal_mode = wal", "PRAGMA cache_size = 100000", "PRAGMA writable_schema = on", "PRAGMA foreign_keys = off", "PRAGMA temp_store_directory = '/'",
		"PRAGMA hard_heap_limit = 1000000000", "PRAGMA wal_checkpoint", "PRAGMA journal_mode = off", "PRAGMA page_size = 512", "PRAGMA secure_delete = on",
		"SELECT load_extension('/tmp/evil.so')", "SELECT readfile('/etc/passwd')", "SELECT writefile('/tmp/x', 'y')", "SELECT * FROM pragma_database_list",
		"INSERT INTO sqlite_schema VALUES ('table', 'u', 'u', 2, 'CREATE TABLE u (a)')", "SELECT * FROM sqlite_dbpage", "SELECT * FROM dbstat",
	} {
		got := s.says(t, "kv", "exec "+statement, "exec INSERT INTO t VALUES (1, 'go on')", "abort")
		if len(got) != 3 || !strings.HasPrefix(got[0], `sql "main": `) || got[1] != "ok 1" {
			t.Errorf("%s: %q", statement, got)
		}
	}
	s.wants(t, "kv", []string{count, "query PRAGMA integrity_check", "exec PRAGMA journal_mode = off", "query PRAGMA journal_mode"}, "0", "ok", "PRAGMA journal_mode with a value is refused", "memory")

	s.deploy("small", pack(t, goGuest(t, "testdata/kvguest"), "small", "[kv]", "keys = 100", `bytes = "100KiB"`, "[sql.main]"))
	s.wants(t, "small", []string{"exec CREATE TABLE t (a)", "exec INSERT INTO t VALUES (zeroblob(40000))"}, "ok 0", "ok 1")
	if a := s.do("POST", "/small/", "exec INSERT INTO t VALUES (zeroblob(80000))\n"); a.status != 507 || problemOf(a).Effects != "none" || problemOf(a).Code != "exhausted" {
		t.Errorf("over the plugin's quota: %v", a)
	}
	s.wants(t, "small", []string{"query SELECT count(*) FROM t", "exec DELETE FROM t", "exec INSERT INTO t VALUES (zeroblob(80000))"}, "1", "ok 1", "ok 1")
	s.wants(t, "small", []string{"query SELECT length(a) FROM t"}, "80000")
}

// TestAStatementLetsOthersCompute: while one plugin's statements count as much as they
// can, some without an end, another answers at least a quarter as many requests as the
// short ones that end meanwhile.
func TestAStatementLetsOthersCompute(t *testing.T) {
	s := serveSQL(t, "--log-level", "warn")
	s.deploySQL(t, "busy", nil, "[limits]", `deadline = "2s"`)
	s.deploy("light", pack(t, enginetest.Tiny(), "light"))
	var ran, given atomic.Int64
	var stop atomic.Bool
	var clients sync.WaitGroup
	for i := range 32 {
		script := "query " + countingTo(10_000) + "SELECT count(*) FROM n"
		if i%8 == 0 {
			script = "query " + fmt.Sprintf(counting, "") + "SELECT count(*) FROM n"
		}
		clients.Go(func() {
			for !stop.Load() {
				a := s.do("POST", "/busy/", script)
				switch {
				case a.status == 200 && a.body == "10000\n":
					ran.Add(1)
				case a.status == 504:
					given.Add(1)
				case a.status != 503:
					t.Errorf("a statement that counts: %v", a)
				}
			}
		})
	}
	for ran.Load() == 0 { // it has begun
		time.Sleep(time.Millisecond)
	}
	before := ran.Load()
	answered := s.askLight(time.Now().Add(time.Duration(often(2, 60)) * time.Second))
	short := ran.Load() - before
	for given.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	stop.Store(true)
	clients.Wait()
	t.Logf("%d requests answered next to %d statements, and %d without an end", answered, short, given.Load())
	if answered < short/4 || answered == 0 {
		t.Errorf("%d requests answered next to %d statements of the busy plugin, want a quarter of them at least", answered, short)
	}
}
