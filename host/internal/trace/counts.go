package trace

import (
	"strings"
	"sync/atomic"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Counts counts what became of a plugin's requests. The zero Counts has counted
// none. Safe for concurrent use.
type Counts struct {
	outcomes                [4]atomic.Int64 // in the order of Outcomes
	failures, conflicts     atomic.Int64
	repeats, replays        atomic.Int64
	wait, wake, run, commit atomic.Int64                  // nanoseconds
	faults                  [len(faults) + 1]atomic.Int64 // in the order of faults, and of others
	traps                   [len(Traps)]atomic.Int64
	paused, ended           atomic.Int64
}

// Outcomes lists the outcomes.
var Outcomes = [4]Outcome{None, Committed, Aborted, Unknown}

// Totals is what Counts has counted.
type Totals struct {
	Requests  int64 // that were over
	Failures  int64 // of them that ended with a fault, or that the handler answered with 500 or more
	Conflicts int64 // runs of handlers whose effects were dropped for a conflict

	Wait time.Duration // for their turns
	Run  time.Duration // in handlers
}

// Add counts a request.
func (c *Counts) Add(r *Record) {
	c.outcomes[indexOf(r.Outcome)].Add(1)
	if r.Code != "" || r.Status >= 500 {
		c.failures.Add(1)
	}
	if r.Code != "" {
		c.fail(r)
	}
	if r.Replayed {
		c.replays.Add(1)
	}
	if r.Attempts != 1 {
		c.repeats.Add(int64(r.Attempts) - 1)
	}
	for _, part := range [...]struct {
		of   *atomic.Int64
		took time.Duration
	}{{&c.wait, r.Wait}, {&c.wake, r.Wake}, {&c.run, r.Run}, {&c.commit, r.Commit}} {
		if part.took > 0 {
			part.of.Add(int64(part.took))
		}
	}
	if n := r.conflicts(); n > 0 {
		c.conflicts.Add(int64(n))
	}
}

// indexOf is the place of an outcome; one that is not known is none.
func indexOf(o Outcome) int {
	for i := range Outcomes {
		if Outcomes[i] == o {
			return i
		}
	}
	return 0
}

// faults are the codes that end requests.
var faults = [...]fault.Code{
	fault.Trap, fault.BadReply, fault.Deadline, fault.Unavailable, fault.Conflict, fault.Diverged, fault.Exhausted,
	fault.Unknown, fault.Internal, fault.Mismatch, fault.Done, fault.Left,
}

// otherFault stands for the codes that are not in faults.
const otherFault = "other"

func (c *Counts) fail(r *Record) {
	at := len(faults)
	for i, code := range faults {
		if string(code) == r.Code {
			at = i
		}
	}
	c.faults[at].Add(1)
	switch r.Stopped {
	case Paused:
		c.paused.Add(1)
	case Ended:
		c.ended.Add(1)
	}
	if r.Code == string(fault.Trap) {
		c.traps[trapOf(r.Error)].Add(1)
	}
}

// Traps are the kinds of traps, and what the host's text of one has in it. The last is
// of those that the guest has reported itself, which may use the words of another.
var Traps = [...]struct{ Kind, text string }{
	{"out_of_memory", "out of memory"},
	{"stack_overflow", "stack overflow"},
	{"exit", "as os.Exit and log.Fatal do"},
	{"panic", "the guest gave up"},
	{"unreachable", "unreachable"},
	{"out_of_bounds", "out of bounds"},
	{"arithmetic", "integer"},
	{"trap", "the guest trapped"},
	{"reported", ""},
}

// trapOf is the kind of a trap, by what the host says of it.
func trapOf(text string) int {
	for i := range Traps {
		if strings.Contains(text, Traps[i].text) {
			return i
		}
	}
	return len(Traps) - 1
}

// conflicts is how many runs of the handler ended in one: all but the last, unless
// the last did too.
func (r *Record) conflicts() int {
	if r.Attempts > 0 && r.Code == "conflict" {
		return r.Attempts
	}
	return r.Attempts - 1
}

// Totals returns what was counted so far.
func (c *Counts) Totals() Totals {
	return Totals{
		Requests: c.requests(), Failures: c.failures.Load(), Conflicts: c.conflicts.Load(),
		Wait: time.Duration(c.wait.Load()), Run: time.Duration(c.run.Load()),
	}
}

func (c *Counts) requests() (n int64) {
	for i := range c.outcomes {
		n += c.outcomes[i].Load()
	}
	return n
}

// Parts is what Counts has counted, in parts.
type Parts struct {
	Outcomes map[Outcome]int64
	Faults   map[string]int64
	Traps    map[string]int64
	Stopped  map[Stop]int64
	Attempts int64
	Replays  int64
	Phases   map[string]time.Duration
}

// Parts returns what was counted so far.
func (c *Counts) Parts() Parts {
	p := Parts{
		Outcomes: map[Outcome]int64{}, Faults: map[string]int64{}, Traps: map[string]int64{},
		Stopped:  map[Stop]int64{Paused: c.paused.Load(), Ended: c.ended.Load()},
		Attempts: c.requests() + c.repeats.Load(), Replays: c.replays.Load(),
		Phases: map[string]time.Duration{
			"wait": time.Duration(c.wait.Load()), "wake": time.Duration(c.wake.Load()),
			"run": time.Duration(c.run.Load()), "commit": time.Duration(c.commit.Load()),
		},
	}
	for i, outcome := range Outcomes {
		p.Outcomes[outcome] = c.outcomes[i].Load()
	}
	for i := range c.faults {
		name := otherFault
		if i < len(faults) {
			name = string(faults[i])
		}
		p.Faults[name] = c.faults[i].Load()
	}
	for i := range Traps {
		p.Traps[Traps[i].Kind] = c.traps[i].Load()
	}
	return p
}
