package trace

import (
	"sync"
	"time"
)

// Timeline is what a request notes on its way when it is traced: what it did, and
// when. A nil Timeline notes nothing, so that a request that is not traced pays for a
// comparison. Safe for concurrent use, as calls to services are.
type Timeline struct {
	Context           // of the request's own span
	Parent  [8]byte   // the span that asked; zero = none did
	State   string    // tracestate that came with it
	Began   time.Time // when the request arrived
	Scheme  string    // how it was asked for
	Host    string    // whom
	Mount   string    // before the pattern of its route

	mu      sync.Mutex
	attempt int
	steps   []Step
	calls   []Call
	dropped int
}

// Kind says what a request did in a step.
type Kind string

// The kinds.
const (
	Key       Kind = "idempotency key" // it waited for another request with its key
	Admission Kind = "admission"       // it waited at the plugin's limit of requests
	Lane      Kind = "lane"            // it waited for those that it may conflict with
	Queue     Kind = "run queue"       // it waited for a processor
	Wake      Kind = "wake"            // it waited for an instance, or the program
	Run       Kind = "run"             // the handler ran
	Commit    Kind = "commit"          // its effects became durable, or were refused
	Again     Kind = "re-run"          // a conflict was found, and another attempt begins
)

// Step is a part of a request's time.
type Step struct {
	Kind       Kind
	Attempt    int // 0 = before the first
	Start, End time.Time
	Queued     time.Duration // of a Run: waits for a processor in it
}

// Call is a call to a service, up to the head of its answer.
type Call struct {
	Span       [8]byte
	Attempt    int
	Method     string
	URL        string // without the query, which may hold secrets
	Host       string
	Port       int
	Status     int    // of the answer; 0 = there was none
	Failure    string // why; "" = there was one
	Start, End time.Time
}

// What a timeline keeps at most.
const (
	maxSteps = 64
	maxCalls = 256
)

// shortWait is how long a wait is that is not worth a step.
const shortWait = 10 * time.Microsecond

// TraceID returns the id of the trace, "" of none.
func (t *Timeline) TraceID() string {
	if t == nil {
		return ""
	}
	return t.ID()
}

// Attempt notes that a run of the handler begins.
func (t *Timeline) Attempt(n int) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.attempt = n
}

// Step notes what the request did from start to end. In a Run and a Wake it waited
// for a processor for queued of that.
func (t *Timeline) Step(kind Kind, start, end time.Time, queued time.Duration) {
	if t == nil || !t.Sampled {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if kind == Wake { // the processor comes first
		t.step(Step{Kind: Queue, Start: start, End: start.Add(queued)})
		start, queued = start.Add(queued), 0
	}
	t.step(Step{Kind: kind, Start: start, End: end, Queued: queued})
}

// step keeps a step. The caller holds mu.
func (t *Timeline) step(s Step) {
	waits := s.Kind != Run && s.Kind != Commit && s.Kind != Again
	switch {
	case waits && s.End.Sub(s.Start) < shortWait:
	case len(t.steps) == maxSteps:
		t.dropped++
	default:
		s.Attempt = t.attempt
		t.steps = append(t.steps, s)
	}
}

// Call notes a call that was made. Its Attempt is the one that runs.
func (t *Timeline) Call(c Call) {
	if t == nil || !t.Sampled {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.calls) == maxCalls {
		t.dropped++
		return
	}
	c.Attempt = t.attempt
	t.calls = append(t.calls, c)
}

// Steps returns what was noted, and how much there was no room for.
func (t *Timeline) Steps() (steps []Step, calls []Call, dropped int) {
	if t == nil {
		return nil, nil, 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.steps, t.calls, t.dropped
}

// Hide replaces what hide replaces in the texts of calls, which a guest wrote.
func (t *Timeline) Hide(hide func(string) string) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.calls {
		t.calls[i].URL, t.calls[i].Failure = hide(t.calls[i].URL), hide(t.calls[i].Failure)
	}
}
