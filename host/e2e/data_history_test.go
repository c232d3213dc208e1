package e2e

import (
	"context"
	"encoding/json"
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

// TestHistory runs transactions side by side through HTTP and a guest, and
// checks that what clients saw has an explanation in which they ran one after
// another. The same anomalies are provoked at the store in package storetest;
// here a host that loses a read set, an attempt's effects or the order of commit
// and response shows too.
func TestHistory(t *testing.T) {
	h := &history{server: serve(t, t.TempDir()), began: time.Now()}
	sqlServer{h.server}.deploySQL(t, "kv", []string{listTable, "counters (id TEXT PRIMARY KEY, n INTEGER)", "skewed_a (id INTEGER PRIMARY KEY)", "skewed_b (id INTEGER PRIMARY KEY)", "phantoms (round INTEGER, client INTEGER)"}, "[blobs]")
	for _, test := range []struct {
		name string
		run  func(*testing.T, *history)
	}{
		{"lost update", testLostUpdate},
		{"write skew", testWriteSkew},
		{"phantom", testPhantom},
		{"phantom at the edge of a page", testPhantomAtEdge},
		{"lost update in SQL", testLostUpdateSQL},
		{"write skew in SQL", testWriteSkewSQL},
		{"phantom in SQL", testPhantomSQL},
		{"read your writes", testReadYourWrites},
		{"list merge", testListMerge},
		{"outcomes", testOutcomes},
		{"add with set and delete", testAddWithSetAndDelete},
		{"adds never conflict", testAddsCommute},
		{"add beside read and write", testAddBesideIncrement},
		{"TTL at a fixed clock", testFixedClock},
		{"served among writers", testServedAmongWriters},
		{"attempts and request ids", testAttempts},
		{"linearizable registers", testLinearizableRegisters},
		{"linearizable blobs", testLinearizableBlobs},
		{"linearizable counters", testLinearizableCounters},
		{"serializable lists", testSerializableLists},
		{"bank", testBank},
	} {
		t.Run(test.name, func(t *testing.T) {
			defer h.during(t)()
			test.run(t, h)
		})
	}
}

// history drives the guest kvguest, which runs scripts as transactions.
type history struct {
	*server
	began  time.Time
	reruns atomic.Int64 // attempts beyond the first
}

// txn is a transaction as its client saw it.
type txn struct {
	status    int
	attempt   int // the one that was answered
	seenID    string
	results   []string // one for each line of the script
	call, ret time.Duration
}

// tx runs a script in the plugin kv, which must have an answer.
func (h *history) tx(script ...string) txn {
	h.t.Helper()
	x, err := h.try(context.Background(), "kv", script)
	if err != nil {
		h.t.Error(err)
	}
	return x
}

// try runs a script in a plugin. A client that is told that nothing was changed may ask
// again, so a transaction whose re-runs are used up is begun anew. An error is one that
// has no answer.
func (h *history) try(ctx context.Context, plugin string, script []string) (txn, error) {
	h.t.Helper()
	x := txn{call: time.Since(h.began), results: make([]string, len(script))}
	for {
		a, err := h.server.try(ctx, "POST", "/"+plugin, strings.Join(script, "\n"))
		if err != nil {
			return x, fmt.Errorf("%q: %w", script, err)
		}
		if a.status == http.StatusServiceUnavailable {
			h.wantNothingChanged(a)
			h.reruns.Add(1)
			continue
		}
		x.ret = time.Since(h.began)
		x.status, x.seenID = a.status, a.header.Get("X-Seen-Id")
		x.attempt, _ = strconv.Atoi(a.header.Get("X-Attempt"))
		if results := strings.Split(strings.TrimSuffix(a.body, "\n"), "\n"); x.attempt == 0 || len(results) != len(script) {
			h.t.Errorf("%q: got %v", script, a)
		} else {
			x.results = results
		}
		h.reruns.Add(int64(x.attempt - 1))
		return x, nil
	}
}

// problem is an error body of the host.
type problem struct {
	Code, Detail, Effects string
	RequestID             string `json:"request_id"`
}

func problemOf(a answer) (p problem) {
	_ = json.Unmarshal([]byte(a.body), &p) // a body that is none has no code
	return p
}

func (h *history) wantNothingChanged(a answer) {
	h.t.Helper()
	if p := problemOf(a); p.Code != "conflict" || p.Effects != "none" || a.header.Get("Retry-After") == "" {
		h.t.Errorf("got %v, Retry-After %q; want the problem conflict without effects", a, a.header.Get("Retry-After"))
	}
}

// want runs a script that nothing disturbs and compares its results.
func (h *history) want(script []string, results ...string) {
	h.t.Helper()
	x := h.tx(script...)
	for i, op := range script {
		if got := x.results[i]; i < len(results) && got != results[i] {
			h.t.Errorf("%s: got %s, want %s", op, got, results[i])
		}
	}
}

// untilRerun repeats a round until a conflict made a handler run again, so that
// a test of races cannot pass without one. While the route is hot there are none:
// its requests take turns.
func (h *history) untilRerun(round func(i int)) {
	h.t.Helper()
	const least, most = 3, time.Minute
	before, start := h.reruns.Load(), time.Now()
	for i := 0; time.Since(start) < most; i++ {
		round(i)
		if i+1 >= least && h.reruns.Load() > before {
			return
		}
	}
	h.t.Errorf("rounds side by side for %v, and no conflict", most)
}

// together runs the scripts at the same time.
func (h *history) together(scripts ...[]string) []txn {
	txns := make([]txn, len(scripts))
	parallel(len(scripts), func(i int) { txns[i] = h.tx(scripts[i]...) })
	return txns
}

func parallel(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}

// widen keeps the first attempt between its reads and its writes long enough for
// the others to get there too.
const widen = "once 1 pause 10"

// testLostUpdate: without certification all clients of a round read the same
// number and the last to write wins.
func testLostUpdate(t *testing.T, h *history) {
	const clients = 4
	sum := 0
	h.untilRerun(func(int) {
		parallel(clients, func(int) { h.tx("int lost/n", widen, "incr lost/n 1") })
		sum += clients
	})
	h.want([]string{"int lost/n"}, strconv.Itoa(sum))
}

// testWriteSkew: each of two transactions reads both keys and writes its own. A
// store that certifies writes only lets both commit with neither having seen
// the other, which no order of the two explains.
func testWriteSkew(t *testing.T, h *history) {
	h.untilRerun(func(i int) {
		a, b := fmt.Sprintf("skew/%d/a", i), fmt.Sprintf("skew/%d/b", i)
		x := h.together(
			[]string{"get " + b, "get " + a, widen, "set " + a + " 1"},
			[]string{"get " + a, "get " + b, widen, "set " + b + " 1"},
		)
		if x[0].results[0] == "absent" && x[1].results[0] == "absent" {
			t.Errorf("round %d: each committed without having seen the other", i)
		}
	})
}

// testPhantom: each transaction counts a range and then inserts into it. One
// after another they count 0, 1, 2, 3; a store that certifies only the keys that
// were found lets two count the same.
func testPhantom(t *testing.T, h *history) {
	const clients = 4
	h.untilRerun(func(i int) {
		counts := make([]int, clients)
		parallel(clients, func(c int) {
			prefix := fmt.Sprintf("phantom/%d/", i)
			x := h.tx("list "+prefix, widen, fmt.Sprintf("set %s%d x", prefix, c))
			counts[c] = len(strings.Fields(x.results[0]))
		})
		slices.Sort(counts)
		if !slices.Equal(counts, []int{0, 1, 2, 3}) {
			t.Errorf("round %d: the range held %v entries", i, counts)
		}
	})
}

// testPhantomAtEdge: a reader lists one entry, m, and writes that it did; a
// writer changes what that page would be and reads whether the reader wrote. The
// reader that saw m comes first, the writer that missed it too: both at once
// happens where a page is certified by the keys on it.
func testPhantomAtEdge(t *testing.T, h *history) {
	for _, test := range []struct{ name, list, change string }{
		{"before the first entry", "list %s - 1", "set %sa x"},
		{"behind the last entry", "list %s - 1 reverse", "set %sz x"},
		{"between cursor and entry", "list %[1]s %[1]sc 1", "set %sd x"},
		{"the entry goes", "list %s - 1", "del %sm"},
	} {
		t.Run(test.name, func(t *testing.T) {
			defer h.during(t)()
			h.untilRerun(func(i int) {
				prefix := fmt.Sprintf("edge/%s/%d/", strings.ReplaceAll(test.name, " ", "-"), i)
				h.want([]string{"set " + prefix + "m x"}, "ok")
				saw := "saw/" + prefix
				x := h.together(
					[]string{fmt.Sprintf(test.list, prefix), widen, "set " + saw + " 1"},
					[]string{"get " + saw, widen, fmt.Sprintf(test.change, prefix)},
				)
				sawM := strings.Contains(x[0].results[0], `/m"=`)
				if missed := x[1].results[0] == "absent"; sawM && missed {
					t.Errorf("round %d: neither has seen the other", i)
				}
			})
		})
	}
}

// testReadYourWrites fails where reads go to the snapshot alone.
func testReadYourWrites(_ *testing.T, h *history) {
	h.want([]string{"set own/b old", "set own/c old"}, "ok", "ok")
	h.want(
		[]string{"set own/a 1", "get own/a", "set own/b new", "get own/b", "del own/c", "get own/c", "set own/c", "get own/c", "append own/l 1", "append own/l 2", "get own/l"},
		"ok", `"1"`, "ok", `"new"`, "ok", "absent", "ok", `""`, `""`, `"1"`, `"1,2"`)
	h.want([]string{"get own/a", "get own/b", "get own/c", "get own/l"}, `"1"`, `"new"`, `""`, `"1,2"`)
}

// testListMerge fails where a list does not merge the attempt's own writes, or
// applies the limit before it does.
func testListMerge(_ *testing.T, h *history) {
	h.want([]string{"set lm/b 1", "set lm/d 1", "set lm/f 1", "setint lm/n 1"})
	h.want(
		[]string{"del lm/b", "set lm/a 2", "set lm/d 2", "add lm/n 1", "list lm/", "list lm/ - 2", "list lm/ lm/a 1", "list lm/ lm/f 2 reverse", "list lm/ - 1 reverse"},
		"ok", "ok", "ok", "ok",
		`"lm/a"="2" "lm/d"="2" "lm/f"="1" "lm/n"=2`,
		`"lm/a"="2" "lm/d"="2" more`,
		`"lm/d"="2" more`,
		`"lm/d"="2" "lm/a"="2"`,
		`"lm/n"=2 more`)
	h.want([]string{"list lm/ - 2"}, `"lm/a"="2" "lm/d"="2" more`)
}

// testOutcomes fails where effects reach the store before the host has decided
// on them.
func testOutcomes(t *testing.T, h *history) {
	for _, test := range []struct {
		name, op string
		status   int
		want     string
	}{
		{"200 commits", "status 200", 200, `"x"`},
		{"404 commits", "status 404", 404, `"x"`},
		{"500 drops", "status 500", 500, "absent"},
		{"200 with abort drops", "abort", 200, "absent"},
		{"500 with commit commits", "commit\nstatus 500", 500, `"x"`},
		{"a panic drops", "panic", 502, "absent"},
		{"a panic after commit drops", "commit\npanic", 502, "absent"},
	} {
		t.Run(test.name, func(t *testing.T) {
			defer h.during(t)()
			key := "outcome/" + strings.ReplaceAll(test.name, " ", "-")
			if a := h.do("POST", "/kv", "set "+key+" x\n"+test.op); a.status != test.status {
				t.Errorf("got %v, want status %d", a, test.status)
			}
			h.want([]string{"get " + key}, test.want)
		})
	}
	if a := h.do("HEAD", "/kv", "set outcome/head x"); a.status != 200 || a.body != "" {
		t.Errorf("HEAD: got %v", a)
	}
	h.want([]string{"get outcome/head"}, "absent")
}

func testAddWithSetAndDelete(t *testing.T, h *history) {
	h.want([]string{"setint add/n 5", "set add/text x", "setint add/max 9223372036854775807"})
	h.want(
		[]string{"add add/n 2", "int add/n", "setint add/n 10", "add add/n 1", "int add/n", "del add/n", "add add/n 3", "int add/n", "add add/new 4", "del add/new", "get add/new"},
		"ok", "7", "ok", "ok", "11", "ok", "ok", "3", "ok", "ok", "absent")
	h.want([]string{"int add/n", "get add/new"}, "3", "absent")
	h.want([]string{"set add/own text", "add add/own 1"}, "ok", "wrong type")

	for _, key := range []string{"add/text", "add/max"} {
		a := h.do("POST", "/kv", "set add/beside x\nadd "+key+" 1")
		if p := problemOf(a); a.status != 502 || p.Effects != "none" {
			t.Errorf("add to %s, found out at the commit: got %v", key, a)
		}
	}
	h.want([]string{"get add/beside", "get add/text"}, "absent", `"x"`)
}

// testAddsCommute fails where an add is a read and a write: the clients would
// conflict.
func testAddsCommute(t *testing.T, h *history) {
	const clients, rounds = 8, 3
	for range rounds {
		parallel(clients, func(int) {
			if x := h.tx("add commute/n 1", "pause 10"); x.attempt != 1 {
				t.Errorf("an add was run %d times", x.attempt)
			}
		})
	}
	h.want([]string{"int commute/n"}, strconv.Itoa(clients*rounds))
}

// testAddBesideIncrement fails where an add does not count as a write for those
// who read the counter: an increment would overwrite it.
func testAddBesideIncrement(_ *testing.T, h *history) {
	sum := 0
	h.untilRerun(func(int) {
		parallel(4, func(i int) {
			if i%2 == 0 {
				h.tx("add beside/n 1")
			} else {
				h.tx("int beside/n", widen, "incr beside/n 10")
			}
		})
		sum += 22
	})
	h.want([]string{"int beside/n"}, strconv.Itoa(sum))
}

// testFixedClock: a value that expires while a handler runs stays visible to
// it, as if the handler took no time, and is gone for the next.
func testFixedClock(t *testing.T, h *history) {
	for ttl := 200; ttl < 4000; ttl *= 2 {
		key := fmt.Sprintf("ttl/%d", ttl)
		h.want([]string{fmt.Sprintf("set %s x %d", key, ttl), "get " + key}, "ok", `"x"`)
		slow := h.tx("get "+key, fmt.Sprint("pause ", ttl), "get "+key, "list "+key, "setint slow/"+key+" 1")
		if slow.results[0] == "absent" {
			continue // it began too late to show anything
		}
		if slow.results[2] != `"x"` || slow.results[3] != `"`+key+`"="x"` {
			t.Errorf("behind its time: got %s and %s", slow.results[2], slow.results[3])
		}
		h.want([]string{"get " + key, "list " + key}, "absent", "")
		return
	}
	t.Error("no transaction began in time")
}

// testServedAmongWriters keeps changing what a handler has read: it is served all
// the same, within a few runs.
func testServedAmongWriters(t *testing.T, h *history) {
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for c := range 2 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					h.tx(fmt.Sprintf("set hot %d.%d", c, i))
				}
			}
		})
	}
	defer wg.Wait()
	defer close(stop)
	for round := 1; round <= 3; round++ {
		if a := h.do("POST", "/kv", fmt.Sprintf("set cold %d\nget hot\npause %d\nset hot x", round, 100*round)); a.status != 200 {
			t.Errorf("round %d: %v", round, a)
		}
		if x := h.tx("get cold"); x.results[0] != fmt.Sprintf(`"%d"`, round) {
			t.Errorf("round %d left %v", round, x.results)
		}
	}
}

// testAttempts checks what a guest and the log learn of re-runs.
func testAttempts(t *testing.T, h *history) {
	h.untilRerun(func(i int) {
		ids := []string{fmt.Sprintf("client-a-%d", i), fmt.Sprintf("client-b-%d", i)}
		parallel(2, func(c int) { h.wantAttempts(ids[c]) })
	})
	if a, b := h.tx("status 200"), h.tx("status 200"); a.seenID == b.seenID || a.seenID == "" {
		t.Errorf("requests without an id got %q and %q", a.seenID, b.seenID)
	}
}

// wantAttempts sends a request with an id of its own and checks that each
// attempt saw that id and its own number, none of them left out.
func (h *history) wantAttempts(id string) {
	req, err := http.NewRequest("POST", h.public+"/kv", strings.NewReader("int att/n\n"+widen+"\nincr att/n 1"))
	if err != nil {
		h.t.Error(err)
		return
	}
	req.Header.Set("X-Request-Id", id)
	res, err := client.Do(req)
	if err != nil {
		h.t.Error(err)
		return
	}
	res.Body.Close()
	last, _ := strconv.Atoi(res.Header.Get("X-Attempt"))
	if got := res.Header.Get("X-Request-Id"); got != id || res.StatusCode == 200 && res.Header.Get("X-Seen-Id") != id {
		h.t.Errorf("the request's id: got %q and seen %q, want %q", got, res.Header.Get("X-Seen-Id"), id)
	}
	h.reruns.Add(int64(max(last-1, 0)))
	for n := 1; n <= last; n++ {
		line := fmt.Sprintf(`"number":"%d","seen":"%s"`, n, id)
		if !h.logged(line) {
			h.t.Errorf("the log lacks %q:\n%s", line, h.log)
		}
	}
}

// logged waits for a line of the log, which comes through a pipe of its own.
func (s *server) logged(text string) bool {
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if strings.Contains(s.log.String(), text) {
			return true
		}
	}
	return false
}
