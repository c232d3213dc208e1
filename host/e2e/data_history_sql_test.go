package e2e

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
)

// The anomalies of TestHistory over SQL, where a page is what two transactions share.

// testLostUpdateSQL: without certification the last of a round's clients to write wins.
func testLostUpdateSQL(_ *testing.T, h *history) {
	const clients = 4
	h.want([]string{"exec INSERT INTO counters VALUES ('lost', 0)"}, "ok 1")
	sum := 0
	h.untilRerun(func(int) {
		parallel(clients, func(int) {
			h.tx("query SELECT n FROM counters WHERE id = 'lost'", widen, "exec UPDATE counters SET n = n + 1 WHERE id = 'lost'")
		})
		sum += clients
	})
	h.want([]string{"query SELECT n FROM counters"}, strconv.Itoa(sum))
}

// testWriteSkewSQL: each of two transactions reads both tables and writes its own, so that
// no page is written by both.
func testWriteSkewSQL(t *testing.T, h *history) {
	h.untilRerun(func(i int) {
		there := func(table string) string { return fmt.Sprintf("query SELECT count(*) FROM %s WHERE id = %d", table, i) }
		insert := func(table string) string { return fmt.Sprintf("exec INSERT INTO %s VALUES (%d)", table, i) }
		x := h.together(
			[]string{there("skewed_b"), there("skewed_a"), widen, insert("skewed_a")},
			[]string{there("skewed_a"), there("skewed_b"), widen, insert("skewed_b")},
		)
		if x[0].results[0] == "0" && x[1].results[0] == "0" {
			t.Errorf("round %d: each committed without having seen the other", i)
		}
	})
}

// testPhantomSQL: each transaction counts rows and then inserts one of those it counts.
func testPhantomSQL(t *testing.T, h *history) {
	const clients = 4
	h.untilRerun(func(i int) {
		counts := make([]string, clients)
		parallel(clients, func(c int) {
			x := h.tx(fmt.Sprintf("query SELECT count(*) FROM phantoms WHERE round = %d", i), widen, fmt.Sprintf("exec INSERT INTO phantoms VALUES (%d, %d)", i, c))
			counts[c] = x.results[0]
		})
		slices.Sort(counts)
		if !slices.Equal(counts, []string{"0", "1", "2", "3"}) {
			t.Errorf("round %d: there were %v rows", i, counts)
		}
	})
}
