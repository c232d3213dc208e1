package trace

import (
	"sync/atomic"
	"time"
)

// Counts counts what became of a plugin's requests. The zero Counts has counted
// none. Safe for concurrent use.
type Counts struct {
	requests, failures, conflicts atomic.Int64
	wait, run                     atomic.Int64 // nanoseconds
}

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
	c.requests.Add(1)
	if r.Code != "" || r.Status >= 500 {
		c.failures.Add(1)
	}
	if r.Wait > 0 {
		c.wait.Add(int64(r.Wait))
	}
	c.run.Add(int64(r.Run))
	if n := r.conflicts(); n > 0 {
		c.conflicts.Add(int64(n))
	}
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
		Requests: c.requests.Load(), Failures: c.failures.Load(), Conflicts: c.conflicts.Load(),
		Wait: time.Duration(c.wait.Load()), Run: time.Duration(c.run.Load()),
	}
}
