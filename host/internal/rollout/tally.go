package rollout

import (
	"math/bits"
	"sync/atomic"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

// buckets of a Histogram: four for each doubling from a microsecond on, the last
// without an end.
const buckets = 4 * 27

// Histogram is how many requests took how long.
type Histogram [buckets]int64

// bucketOf returns where a time is counted.
func bucketOf(d time.Duration) int {
	micros := uint64(max(d.Microseconds(), 0))
	if micros < 4 {
		return int(micros)
	}
	doublings := bits.Len64(micros) - 1
	return min(4*(doublings-1)+int(micros>>(doublings-2)&3), buckets-1)
}

// endOf returns the time that bucket b goes up to.
func endOf(b int) time.Duration {
	b++
	if b < 4 {
		return time.Duration(b) * time.Microsecond
	}
	return time.Duration(4+b%4) << (b/4 - 1) * time.Microsecond
}

// total returns how many requests h has.
func (h *Histogram) total() (n int64) {
	for _, c := range h {
		n += c
	}
	return n
}

// quantile returns the first bucket that at most a part of 1 - q lies above.
func (h *Histogram) quantile(q float64) int {
	left := int64((1 - q) * float64(h.total()))
	for b := buckets - 1; b > 0; b-- {
		if left -= h[b]; left < 0 {
			return b
		}
	}
	return 0
}

// Quantile returns a time that at least a part q of the requests kept within, up to
// a quarter too high; 0 without requests.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.total() == 0 {
		return 0
	}
	return endOf(h.quantile(q))
}

// above returns how many requests lie above bucket b.
func (h *Histogram) above(b int) (n int64) {
	for _, c := range h[b+1:] {
		n += c
	}
	return n
}

// Counts is what a version did since the roll-out began.
type Counts struct {
	Requests int64
	Failures int64     // ended with a fault that is the server's or the version's, or were answered with 500 or more
	Traps    int64     // of these, the guest trapped, or answered what no answer may be
	Times    Histogram // in the handler and the commit: what the version itself takes
}

// side counts the requests of a version. Safe for concurrent use.
type side struct {
	requests, failures, traps atomic.Int64
	times                     [buckets]atomic.Int64
}

func (s *side) add(r *trace.Record) {
	failed, trapped := judge(r)
	s.times[bucketOf(r.Run+r.Commit)].Add(1)
	if failed {
		s.failures.Add(1)
	}
	if trapped {
		s.traps.Add(1)
	}
	s.requests.Add(1) // last, so that nobody sees more failures than requests
}

// judge says whether a version is to blame for how a request ended. A client that
// left, and one that used an idempotency key twice, did so themselves.
func judge(r *trace.Record) (failed, trapped bool) {
	switch fault.Code(r.Code) {
	case "":
		return r.Status >= 500, false
	case fault.Trap, fault.BadReply, fault.Diverged:
		return true, true
	case fault.Left, fault.Mismatch, fault.Done, fault.Invalid, fault.TooLarge:
		return false, false
	}
	return true, false
}

func (s *side) counts() (c Counts) {
	c.Requests, c.Failures, c.Traps = s.requests.Load(), s.failures.Load(), s.traps.Load()
	for i := range s.times {
		c.Times[i] = s.times[i].Load()
	}
	return c
}

// Tally counts the requests of the two versions of a roll-out. Safe for concurrent
// use.
type Tally struct {
	From, To int // versions
	old, new side
}

// Add counts a request of one of the versions, and none of another one, of a preview,
// or that an operator stopped. It allocates nothing.
func (t *Tally) Add(r *trace.Record) {
	switch {
	case t == nil || r.Preview || r.Stopped != "":
	case r.Version == t.To:
		t.new.add(r)
	case r.Version == t.From:
		t.old.add(r)
	}
}

// Counts returns what was counted so far.
func (t *Tally) Counts() (old, new Counts) { return t.old.counts(), t.new.counts() }
