// Package limit holds the bounds of an invocation and what the host allows at
// most. The table in OPERATING.md shows the same defaults; a test compares them.
package limit

import "time"

// Limits bounds one invocation of a plugin. Sizes are bytes.
type Limits struct {
	Memory       int64         // linear memory of one instance; whole 64 KiB pages
	Deadline     time.Duration // from dispatch to the end of the handler, re-runs included; the commit is outside
	RequestBody  int64
	ResponseBody int64
	Concurrency  int // invocations of one plugin at a time
}

// Outbound bounds the calls of one attempt to other services, and of no more:
// all of a plugin's are bounded by these and by Limits.Concurrency. Sizes are
// bytes.
type Outbound struct {
	Timeout      time.Duration // of a call, to the end of its response's body
	ResponseBody int64         // decompressed
	Calls        int           // that an attempt may open, closed ones included
	Concurrent   int           // that wait for a response's head at a time
}

// DefaultOutbound returns the bounds of a plugin whose manifest names none.
func DefaultOutbound() Outbound {
	return Outbound{Timeout: 5 * time.Second, ResponseBody: 8 << 20, Calls: 20, Concurrent: 8}
}

// MaximumOutbound returns what a manifest may ask for.
func MaximumOutbound() Outbound {
	return Outbound{Timeout: 60 * time.Second, ResponseBody: 64 << 20, Calls: 100, Concurrent: 32}
}

// Bounds that are the same for every plugin. Sizes are bytes.
const (
	RequestHead     = 32 << 10 // request line and header
	RequestURL      = 8 << 10
	Headers         = 100 // fields of a request or a response
	ResponseHead    = 64 << 10
	LogLine         = 8 << 10
	LogLines        = 1000     // per invocation; the rest is counted, not kept
	RoutePattern    = 256      // what route_set accepts
	Attributes      = 64       // of a request, that the host sets
	AttributesBytes = 16 << 10 // of their names and values
	Module          = 64 << 20
	Replay          = 1 << 20            // of an answer kept for an idempotency key, head included
	MaxReplayAge    = 7 * 24 * time.Hour // what a route may keep its answers for

	OutboundBody   = 4 << 20  // of the request of a call
	OutboundBodies = 16 << 20 // of the requests of an attempt's calls, until they are sent or closed
	OutboundHead   = 32 << 10
	Queue          = 16 // invocations that wait for each that a plugin may run at a time
	Attempts       = 4  // the first run and three re-runs after conflicts
)

// Default returns the limits of a plugin whose manifest names none.
func Default() Limits {
	return Limits{
		Memory:       64 << 20,
		Deadline:     5 * time.Second,
		RequestBody:  4 << 20,
		ResponseBody: 8 << 20,
		Concurrency:  64,
	}
}

// Maximum returns what a manifest may ask for without the operator raising it.
func Maximum() Limits {
	return Limits{
		Memory:       512 << 20,
		Deadline:     60 * time.Second,
		RequestBody:  64 << 20,
		ResponseBody: 64 << 20,
		Concurrency:  1024,
	}
}
