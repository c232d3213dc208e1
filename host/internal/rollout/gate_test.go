package rollout

import (
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

func TestBuckets(t *testing.T) {
	last := time.Duration(-1)
	for b := range buckets {
		end := endOf(b)
		if end <= last {
			t.Fatalf("bucket %d ends at %v, the one before at %v", b, end, last)
		}
		if b < buckets-1 && (bucketOf(end-time.Nanosecond) != b || bucketOf(end) != b+1) {
			t.Errorf("%v is in bucket %d and %v in bucket %d; want %d and the next", end-1, bucketOf(end-1), end, bucketOf(end), b)
		}
		last = end
	}
	if bucketOf(-time.Second) != 0 || bucketOf(time.Hour) != buckets-1 || endOf(buckets-1) < time.Minute {
		t.Errorf("the ends: %d, %d, %v", bucketOf(-time.Second), bucketOf(time.Hour), endOf(buckets-1))
	}
}

func TestQuantile(t *testing.T) {
	var h Histogram
	if h.Quantile(0.5) != 0 {
		t.Error("nothing has a median")
	}
	for i := range 1000 {
		h[bucketOf(time.Duration(i)*time.Millisecond)]++
	}
	for q, want := range map[float64]time.Duration{0.5: 500 * time.Millisecond, 0.99: 990 * time.Millisecond} {
		if got := h.Quantile(q); got < want || got > want*5/4 {
			t.Errorf("quantile %v is %v, want %v to a quarter more", q, got, want)
		}
	}
}

func TestTally(t *testing.T) {
	tally := &Tally{From: 1, To: 2}
	for _, r := range []trace.Record{
		{Version: 1, Status: 200},
		{Version: 1, Status: 404},
		{Version: 1, Code: "left"},
		{Version: 1, Code: "mismatch"},
		{Version: 2, Status: 500},
		{Version: 2, Code: "trap"},
		{Version: 2, Code: "deadline"},
		{Version: 2, Status: 200, Run: time.Second},
		{Version: 2, Code: "trap", Preview: true},
		{Version: 3, Code: "trap"},
		{Version: 2, Code: "unavailable", Stopped: trace.Paused},
		{Version: 2, Code: "unavailable", Stopped: trace.Ended},
	} {
		tally.Add(&r)
	}
	old, young := tally.Counts()
	if old.Requests != 4 || old.Failures != 0 || young.Requests != 4 || young.Failures != 3 || young.Traps != 1 || young.Times.total() != 4 {
		t.Errorf("old %d, %d failures; new %d, %d failures, %d traps", old.Requests, old.Failures, young.Requests, young.Failures, young.Traps)
	}
	(*Tally)(nil).Add(&trace.Record{})
	r := trace.Record{Version: 2, Status: 200, Run: time.Millisecond}
	if n := testing.AllocsPerRun(100, func() { tally.Add(&r) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// counts makes Counts of so many requests that took as long.
func counts(requests, failures, traps int64, took time.Duration) *Counts {
	c := &Counts{Requests: requests, Failures: failures, Traps: traps}
	c.Times[bucketOf(took)] = requests
	return c
}

func TestGate(t *testing.T) {
	const quick, slow = time.Millisecond, 100 * time.Millisecond
	for _, c := range []struct {
		name     string
		old, new *Counts
		verdict  Verdict
		reason   string
	}{
		{"nothing yet", counts(0, 0, 0, quick), counts(0, 0, 0, quick), Inconclusive, "0 requests reached it"},
		{"one stray failure", counts(1000, 0, 0, quick), counts(10, 1, 0, quick), Inconclusive, "10 requests reached it"},
		{"one stray failure, as the old one has", counts(9900, 1, 1, quick), counts(300, 1, 1, quick), Good, "1 of its 300 requests failed"},
		{"two traps where the old one has none", counts(1000, 0, 0, quick), counts(10, 2, 2, quick), Worse, "it traps more often: 2 of its 10 requests trapped (20 %), and 0 of the old version's 1000 (0 %)"},
		{"as many failures as the old one's", counts(9900, 99, 0, quick), counts(1000, 10, 0, quick), Good, "10 of its 1000 requests failed (1 %), and 99 of the old version's 9900 (1 %)"},
		{"more failures", counts(9900, 99, 0, quick), counts(1000, 50, 0, quick), Worse, "it fails more often"},
		{"fewer failures", counts(9900, 500, 0, quick), counts(1000, 0, 0, quick), Good, ""},
		{"too few to tell", counts(9900, 0, 0, quick), counts(120, 0, 0, quick), Inconclusive, "too few requests to tell: it may fail up to 5.24 % of them"},
		{"nothing to compare with", counts(0, 0, 0, quick), counts(1000, 0, 0, quick), Inconclusive, "nothing to compare with"},
	} {
		var g Gate
		if verdict, reason := g.Look(c.old, c.new); verdict != c.verdict || !strings.Contains(reason, c.reason) {
			t.Errorf("%s: %d, %q; want %d, %q", c.name, verdict, reason, c.verdict, c.reason)
		}
	}
	var g Gate
	g.Look(counts(1000, 0, 0, quick), counts(100, 0, 0, quick))
	old, young := counts(2000, 0, 0, quick), counts(200, 0, 0, quick)
	young.Times[bucketOf(slow)], young.Times[bucketOf(quick)] = 100, 100
	if verdict, reason := g.Look(old, young); verdict != Worse || !strings.Contains(reason, "it is slower: p50") {
		t.Errorf("slow requests: %d, %q", verdict, reason)
	}
	g = Gate{}
	g.Look(counts(1000, 0, 0, 10*time.Microsecond), counts(100, 0, 0, 10*time.Microsecond))
	young = counts(200, 0, 0, time.Millisecond)
	if verdict, reason := g.Look(counts(2000, 0, 0, 10*time.Microsecond), young); verdict == Worse {
		t.Errorf("a millisecond is slow: %q", reason)
	}
}

func TestMachine(t *testing.T) {
	begin := time.Unix(100, 0)
	r := &plugin.Rollout{Plan: plugin.Plan{{Weight: 500, Bake: time.Minute}}, Stepped: begin}
	good, few, bad := counts(1000, 0, 0, 1), counts(10, 0, 0, 1), counts(1000, 100, 0, 1)
	for _, c := range []struct {
		name   string
		after  time.Duration
		paused bool
		new    *Counts
		act    Act
		held   bool
	}{
		{"bakes", time.Minute - 1, false, good, Stay, false},
		{"is done", time.Minute, false, good, Next, false},
		{"is paused", time.Hour, true, good, Stay, false},
		{"is held", time.Minute, false, few, Stay, true},
		{"goes back while it bakes", 0, false, bad, Back, false},
		{"goes back while it is paused", time.Hour, true, bad, Back, false},
	} {
		r.Paused = c.paused
		if d := new(Machine).Look(r, begin.Add(c.after), counts(9000, 0, 0, 1), c.new); d.Act != c.act || d.Held != c.held {
			t.Errorf("%s: %+v", c.name, d)
		}
	}
}
