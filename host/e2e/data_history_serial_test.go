package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// testSerializableLists runs random transactions that read lists and append to
// them, in keys, in SQL and in blobs. Every element is written once, so the lists tell who came before whom,
// and checkSerial looks for a contradiction.
func testSerializableLists(t *testing.T, h *history) {
	const clients = 6
	each := often(40, 1000)
	seed := seeded(t)
	histories := make([][]listTxn, clients)
	parallel(clients, func(c int) {
		rng := rand.New(rand.NewPCG(seed, uint64(c)))
		for i := range each {
			x := randomLists(rng, fmt.Sprintf("%d.%d", c, i), fmt.Sprintf("list/%d/", i/40))
			if err := h.runList(t.Context(), &x); err != nil {
				t.Error(err)
				return
			}
			histories[c] = append(histories[c], x)
		}
	})
	all := slices.Concat(histories...)
	last := lastOf(all)
	if err := h.runList(t.Context(), &last); err != nil {
		t.Fatal(err)
	}
	if err := checkSerial(append(all, last)); err != nil {
		t.Error(err)
	}
}

// listKeys is how many lists the transactions of a group use.
const listKeys = 6

// randomLists returns a transaction on the lists of a group.
func randomLists(rng *rand.Rand, name, group string) listTxn {
	x := listTxn{name: name, plugin: "kv", aborts: rng.IntN(10) == 0}
	for n := range 1 + rng.IntN(4) {
		op := listOp{key: group + strconv.Itoa(rng.IntN(listKeys))}
		if rng.IntN(2) == 0 {
			op.element = fmt.Sprintf("%s.%d", x.name, n)
		}
		x.ops = append(x.ops, op)
	}
	return x
}

// lastOf returns a transaction that reads all lists of a history: nothing that was
// acknowledged may be missing from what it reads.
func lastOf(history []listTxn) listTxn {
	last := listTxn{name: "last", plugin: "kv"}
	for _, key := range keysOf(history) {
		last.ops = append(last.ops, listOp{key: key})
	}
	return last
}

// listTxn is a transaction on lists.
type listTxn struct {
	name      string
	plugin    string // whose handler runs it
	aborts    bool
	unknown   bool // it has no answer, and is done or not
	ops       []listOp
	call, ret time.Duration
}

// listOp reads a list and, where there is an element, appends it.
type listOp struct {
	key, element string
	on           string   // what precedes it in the script: which plugins it is done by
	drops        bool     // a plugin that it is done by fails, so that the element is gone
	unread       bool     // and says nothing of what it has read
	read         []string // before
}

// in is what precedes operations on a list, by where it is kept: in keys, in SQL, in a
// blob. Each of the callers keeps lists in two of them.
func (op *listOp) in() string {
	return []string{"", "sql", "blob"}[(op.key[len(op.key)-1]-'0')/2]
}

// runList runs x. A transaction without an answer, which is an error, is unknown, and
// whoever knows that the server is gone knows when it has ended.
func (h *history) runList(ctx context.Context, x *listTxn) error {
	script := []string{"status 200"}
	if x.aborts {
		script[0] = "abort"
	}
	for i := range x.ops {
		op := &x.ops[i]
		if op.element == "" {
			script = append(script, op.on+op.in()+"get "+op.key)
		} else {
			script = append(script, op.on+op.in()+"append "+op.key+" "+op.element)
		}
	}
	seen, err := h.try(ctx, x.plugin, script)
	x.call, x.ret, x.unknown = seen.call, seen.ret, err != nil
	if err != nil {
		return err
	}
	for i := range x.ops {
		op, result := &x.ops[i], seen.results[1+i]
		list, err := strconv.Unquote(result)
		switch {
		case op.unread && result == "502", result == "absent":
		case op.unread || err != nil:
			h.t.Errorf("%s: %q says %q", x.name, script[1+i], result)
		case list != "":
			op.read = strings.Split(list, ",")
		}
	}
	return nil
}

func keysOf(history []listTxn) (keys []string) {
	for _, x := range history {
		for _, op := range x.ops {
			keys = append(keys, op.key)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// checkSerial returns why no serial order that agrees with the clock explains a
// history, or nil. The method is that of Elle (Kingsbury and Alvaro, 2020): the
// longest reading of a list orders the writes to it; from there follow the edges
// write-write, write-read and read-write between transactions; together with
// those of real time they must have no cycle.
func checkSerial(history []listTxn) error {
	g := graph{history: history, order: map[string][]string{}, writer: map[string]int{}, after: make([][]bool, len(history))}
	for i := range g.after {
		g.after[i] = make([]bool, len(history))
	}
	for i, x := range history {
		found := map[string]bool{}
		for _, op := range x.ops {
			if !found[op.key] && !op.unread { // later readings may hold what the transaction wrote itself, and dropped
				g.order[op.key] = longer(g.order[op.key], op.read)
			}
			found[op.key] = found[op.key] || !op.unread
			if op.element != "" {
				g.writer[op.element] = i
			}
		}
	}
	for i, x := range history {
		if x.unknown {
			continue
		}
		if err := g.addReads(i); err != nil {
			return err
		}
	}
	if err := g.addWrites(); err != nil {
		return err
	}
	g.addTime()
	return g.cycle()
}

func longer(a, b []string) []string {
	if len(b) > len(a) {
		return b
	}
	return a
}

// graph has an edge from a to b, after[a][b], where a must come before b.
type graph struct {
	history []listTxn
	order   map[string][]string // the elements of each list
	writer  map[string]int      // the transaction that appended an element
	after   [][]bool
}

func (g *graph) edge(a, b int) {
	if a != b {
		g.after[a][b] = true
	}
}

// addReads adds the edges of what transaction i found: behind who wrote the end
// of a list, before who wrote on. Of several readings of one list only the first
// is of others; the rest must follow from it.
func (g *graph) addReads(i int) error {
	x := g.history[i]
	own := map[string][]string{}
	for _, op := range x.ops {
		if op.unread {
			continue
		}
		have, again := own[op.key]
		switch {
		case again && !slices.Equal(have, op.read):
			return fmt.Errorf("%s has %v in %s and then reads %v", x.name, have, op.key, op.read)
		case !again:
			if err := g.addRead(i, op); err != nil {
				return err
			}
		}
		own[op.key] = op.read
		if op.element != "" && !op.drops {
			own[op.key] = append(slices.Clone(op.read), op.element)
		}
	}
	return nil
}

func (g *graph) addRead(i int, op listOp) error {
	order, n := g.order[op.key], len(op.read)
	if !slices.Equal(order[:n], op.read) {
		return fmt.Errorf("%s reads %v in %s, and another reads %v", g.history[i].name, op.read, op.key, order)
	}
	if n > 0 {
		g.edge(g.writer[op.read[n-1]], i)
	}
	// The effects of who aborts are dropped; what they read is still of one moment.
	if n < len(order) {
		g.edge(i, g.writer[order[n]])
	}
	return nil
}

// addWrites adds the edges between those who wrote to one list, and finds
// elements that are missing, or there and ought not to be.
func (g *graph) addWrites() error {
	there := map[string]bool{}
	for key, order := range g.order {
		for n, element := range order {
			w, known := g.writer[element]
			if !known || there[element] || g.history[w].drops(element) {
				return fmt.Errorf("%s has %s, from nobody, twice, or from one who aborted", key, element)
			}
			there[element] = true
			if n > 0 {
				g.edge(g.writer[order[n-1]], w)
			}
		}
	}
	done := map[int]bool{} // what is unknown of which something is there
	for element := range there {
		done[g.writer[element]] = true
	}
	for element, w := range g.writer {
		if x := g.history[w]; !there[element] && !x.drops(element) && (!x.unknown || done[w]) {
			return fmt.Errorf("%s of %s is lost", element, x.name)
		}
	}
	return nil
}

// drops reports whether an element that x appends must not be there.
func (x *listTxn) drops(element string) bool {
	return x.aborts || slices.ContainsFunc(x.ops, func(op listOp) bool { return op.element == element && op.drops })
}

// addTime adds the edges of those who ended before others began.
func (g *graph) addTime() {
	for i, x := range g.history {
		for j, y := range g.history {
			if x.ret < y.call {
				g.edge(i, j)
			}
		}
	}
}

// cycle takes away transactions that nobody has to precede, again and again:
// what is left is a cycle and what comes behind it.
func (g *graph) cycle() error {
	waits := make([]int, len(g.history))
	for _, row := range g.after {
		for j, edge := range row {
			if edge {
				waits[j]++
			}
		}
	}
	var free []int
	for i, n := range waits {
		if n == 0 {
			free = append(free, i)
		}
	}
	for done := 0; done < len(free); done++ {
		for j, edge := range g.after[free[done]] {
			if !edge {
				continue
			}
			if waits[j]--; waits[j] == 0 {
				free = append(free, j)
			}
		}
	}
	if len(free) == len(g.history) {
		return nil
	}
	var left strings.Builder
	for i, x := range g.history {
		if waits[i] > 0 && left.Len() < 4000 {
			fmt.Fprintf(&left, "\n%+v", x)
		}
	}
	return fmt.Errorf("no serial order explains these transactions:%s", left.String())
}

// TestCheckSerial checks the checker: histories as stores without one of the
// guarantees would make them.
func TestCheckSerial(t *testing.T) {
	read := func(key string, list ...string) listOp { return listOp{key: key, read: list} }
	appends := func(key, element string, before ...string) listOp {
		return listOp{key: key, element: element, read: before}
	}
	// at returns a transaction that overlaps with those of the same time.
	at := func(moment int, ops ...listOp) listTxn {
		return listTxn{name: fmt.Sprint(moment), ops: ops, call: time.Duration(2 * moment), ret: time.Duration(2*moment + 1)}
	}
	aborted := at(0, appends("x", "1"), read("x", "1"))
	aborted.aborts = true
	unknown := at(0, appends("x", "1"), appends("y", "2"))
	unknown.unknown = true
	failed := at(0, appends("x", "1"), read("x"), appends("y", "2"))
	failed.ops[0].drops = true
	trapped := at(0, appends("x", "1"), read("x"))
	trapped.ops[0].drops, trapped.ops[0].unread = true, true
	for _, test := range []struct {
		name    string
		history []listTxn
		want    string // "" = serializable
	}{
		{"nothing", nil, ""},
		{"one after another", []listTxn{at(0, appends("x", "1")), at(1, appends("x", "2", "1")), at(2, read("x", "1", "2"))}, ""},
		{"at once, in an order", []listTxn{at(0, appends("x", "1")), at(0, read("x")), at(0, read("x", "1"))}, ""},
		{"an aborted one, unseen", []listTxn{aborted, at(1, read("x"))}, ""},
		{"lost update", []listTxn{at(0, appends("x", "1")), at(0, appends("x", "2")), at(1, read("x", "2"))}, "is lost"},
		{"two readings that differ", []listTxn{at(0, appends("x", "1")), at(0, appends("x", "2")), at(0, read("x", "1")), at(0, read("x", "2"))}, "another reads"},
		{"write skew", []listTxn{at(0, read("x"), appends("y", "1")), at(0, read("y"), appends("x", "2")), at(1, read("x", "2"), read("y", "1"))}, "no serial order"},
		{"half a transaction", []listTxn{at(0, appends("x", "1"), appends("y", "2")), at(0, read("x", "1"), read("y")), at(1, read("x", "1"), read("y", "2"))}, "no serial order"},
		{"a state in the middle", []listTxn{at(0, appends("x", "1"), appends("x", "2", "1")), at(0, read("x", "1")), at(1, read("x", "1", "2"))}, "no serial order"},
		{"stale", []listTxn{at(0, appends("x", "1")), at(1, read("x")), at(2, read("x", "1"))}, "no serial order"},
		{"aborted and seen", []listTxn{aborted, at(1, read("x", "1"))}, "aborted"},
		{"twice", []listTxn{at(0, appends("x", "1")), at(1, read("x", "1", "1"))}, "twice"},
		{"unknown and done", []listTxn{unknown, at(1, read("x", "1"), read("y", "2"))}, ""},
		{"unknown and not done", []listTxn{unknown, at(1, read("x"), read("y"))}, ""},
		{"unknown and half done", []listTxn{unknown, at(1, read("x", "1"), read("y"))}, "is lost"},
		{"unknown and done late", []listTxn{unknown, at(1, read("x")), at(2, read("x", "1"), read("y", "2"))}, "no serial order"},
		{"a part that failed", []listTxn{failed, at(1, read("x"), read("y", "2"))}, ""},
		{"a part that failed and stays", []listTxn{failed, at(1, read("x", "1"), read("y", "2"))}, "aborted"},
		{"a part that trapped", []listTxn{trapped, at(1, read("x"))}, ""},
		{"a part that trapped and is seen within", []listTxn{at(0, appends("x", "0")), {name: "t", ops: []listOp{trapped.ops[0], read("x", "0", "1")}, call: 1, ret: 2}}, "aborted"},
		{"not its own write", []listTxn{at(0, appends("x", "1"), read("x")), at(1, read("x", "1"))}, "then reads"},
	} {
		t.Run(test.name, func(t *testing.T) {
			switch err := checkSerial(test.history); {
			case test.want == "" && err != nil:
				t.Errorf("got %v", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// testBank moves money between accounts while auditors list them: whoever sees
// the accounts of two moments, or writes over a transfer, finds a wrong sum.
func testBank(t *testing.T, h *history) {
	const accounts, clients, money = 5, 4, 1000
	each := often(30, 1000)
	seed := seeded(t)
	var opening []string
	for i := range accounts {
		opening = append(opening, fmt.Sprintf("setint bank/%d %d", i, money))
	}
	h.tx(opening...)
	parallel(clients+2, func(c int) {
		rng := rand.New(rand.NewPCG(seed, uint64(c)))
		for range each {
			if c >= clients {
				h.audit(t, accounts*money)
				continue
			}
			from := rng.IntN(accounts)
			to := (from + 1 + rng.IntN(accounts-1)) % accounts
			amount := 1 + rng.IntN(50)
			h.tx(fmt.Sprintf("incr bank/%d -%d", from, amount), fmt.Sprintf("incr bank/%d %d", to, amount))
		}
	})
	h.audit(t, accounts*money)
}

// audit adds the accounts up, as a list and one by one: in one snapshot both are
// the same.
func (h *history) audit(t *testing.T, want int) {
	x := h.tx("int bank/0", "int bank/1", "pause 2", "int bank/2", "int bank/3", "int bank/4", "list bank/")
	if x.attempt != 1 {
		t.Errorf("a reader was run %d times", x.attempt)
	}
	sum := 0
	for _, result := range x.results {
		if n, err := strconv.Atoi(result); err == nil {
			sum += n
		}
	}
	listed := sumOfList(x.results[len(x.results)-1])
	if sum != want || listed != want {
		t.Errorf("the accounts hold %d, listed %d, want %d", sum, listed, want)
	}
}

// sumOfList adds the counters of a listing.
func sumOfList(listing string) (sum int) {
	for entry := range strings.FieldsSeq(listing) {
		_, value, _ := strings.Cut(entry, "=")
		n, _ := strconv.Atoi(value) // what is no number is missing in the sum
		sum += n
	}
	return sum
}
