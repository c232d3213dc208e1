package sqlite

import (
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// resident returns how many MiB of this process are in memory.
func resident(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(text)
	if found == nil {
		t.Fatalf("no VmRSS in %s", text)
	}
	n, err := strconv.Atoi(string(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n >> 10
}

// TestMemoryIsGivenBack: a connection that wanted more memory than there is gives back
// what it had, wherever it was.
func TestMemoryIsGivenBack(t *testing.T) {
	const times = 5
	s := openStore(t)
	do(t, s, openConn(t), "CREATE TABLE t (v)")
	const n = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 200) "
	for name, sql := range map[string]string{
		"a sort":           n + "SELECT zeroblob(1000000 + i) AS b FROM n ORDER BY b",
		"a group":          n + "SELECT group_concat(DISTINCT hex(zeroblob(400000 + i))) FROM n GROUP BY i % 2",
		"a transaction":    n + "INSERT INTO t SELECT zeroblob(1000000) FROM n",
		"rows of a change": n + "INSERT INTO t SELECT zeroblob(1000000) FROM n RETURNING v",
	} {
		t.Run(name, func(t *testing.T) {
			before := 0
			for i := range times {
				c, err := Open("main", 0)
				if err != nil {
					t.Fatal(err)
				}
				r := begin(t, s, c)
				if _, err := c.Exec(sql, nil); fault.CodeOf(err) != fault.TooLarge {
					t.Errorf("%v", err)
				}
				r.abort()
				c.Close()
				if i == 0 {
					before = resident(t)
				}
			}
			if after := resident(t); after > before+MaxMemory>>20*2 {
				t.Errorf("%d MiB in memory after one such connection, %d after %d", before, after, times)
			}
		})
	}
}
