// Package trace remembers what became of recent requests. Package dispatch holds a
// log for each plugin, package serve fills it, packages server/public and operate
// tell of it.
package trace

import "time"

// Outcome says what became of an invocation's effects.
type Outcome string

// The outcomes.
const (
	None      Outcome = "none"      // there was nothing to commit
	Committed Outcome = "committed" // durable before the reply was returned
	Aborted   Outcome = "aborted"   // dropped, none is visible
	Joined    Outcome = "joined"    // a part of those of the plugin that called
	Unknown   Outcome = "unknown"   // the store could not say, or the host panicked
)

// Stop is how an operator stopped a request.
type Stop string

// The stops, beside none.
const (
	Paused Stop = "paused" // the plugin was, and the request was refused or its effects were
	Ended  Stop = "ended"  // this request was
)

// Record tells of a request that a plugin was asked to handle.
type Record struct {
	ID      string // the request's, which its client may have chosen
	Plugin  string
	Version int
	Preview bool   // of a version that is tried at an address of its own
	Trigger string // the way it came: "http"
	Method  string
	Path    string    // with the mount, without the query, which may hold secrets
	Pattern string    // what matched: the guest's router, or the manifest's route
	Start   time.Time // its body has been read by then

	// Where the time went, over all attempts, until the answer could be sent.
	Wait   time.Duration // for its turn
	Wake   time.Duration // for an instance, and for the program where that had to be loaded
	Run    time.Duration // in the handler
	Commit time.Duration // until its effects were durable or refused
	Out    time.Duration // waiting for services; it is a part of Run

	Attempts int     // runs of the handler; more than 1 after conflicts
	Outcome  Outcome // of its effects; "" = nothing ran
	Replayed bool    // the answer was that of an earlier request with its idempotency key
	Called   bool    // a service was called, which may have changed something there
	Status   int     // of the handler's answer; 0 = it gave none
	Code     string  // of the fault that ended it; "" = it was answered
	Stopped  Stop    // what an operator did, where that is why it failed; "" = nothing
	Error    string  // that fault for an operator
	BytesIn  int64   // of its body
	BytesOut int64   // of the answer's body

	// What the last attempt that conflicted collided with.
	Conflict      bool
	ConflictSpace uint64
	ConflictKey   string // "" = the snapshot was too old for the store to say

	Timeline *Timeline // of a request that is traced; what keeps records keeps its trace alone
	Trace    [16]byte  // the trace that it is a part of; zero = none that is known
}

// Total is the sum of its parts.
func (r *Record) Total() time.Duration { return r.Wait + r.Wake + r.Run + r.Commit }

// Notable reports whether somebody may look for the request later: it failed, or
// ran more than once.
func (r *Record) Notable() bool {
	return r.Code != "" || r.Status >= 500 || r.Attempts > 1 || r.Conflict
}
