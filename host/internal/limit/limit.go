// Package limit holds the bounds of an invocation and what the host allows at
// most. The table in OPERATING.md shows the same defaults; a test compares them.
package limit

import (
	"time"

	"github.com/wasmoor/wasmoor/abi/limits"
)

// Limits bounds one invocation of a plugin. Sizes are bytes.
type Limits struct {
	Memory       int64         // linear memory of one instance; whole 64 KiB pages
	Deadline     time.Duration // from dispatch to the end of the handler, re-runs included; the commit is outside
	RequestBody  int64
	ResponseBody int64
	Concurrency  int // invocations of one plugin at a time
}

// Bounds that are the same for every plugin. Sizes are bytes.
const (
	RequestHead     = limits.RequestHead // request line and header
	RequestURL      = limits.RequestURL
	Headers         = limits.Headers // fields of a request or a response
	ResponseHead    = limits.ResponseHead
	LogLine         = limits.LogLine
	LogLines        = limits.LogLines        // per invocation; the rest is counted, not kept
	RouteBody       = 64 << 30               // of a request whose route says so
	RoutePattern    = limits.RoutePattern    // what route_set accepts
	Attributes      = limits.Attributes      // of a request, that the host sets
	AttributesBytes = limits.AttributesBytes // of their names and values
	Module          = 64 << 20
	Replay          = 1 << 20            // of an answer kept for an idempotency key, head included
	MaxReplayAge    = 7 * 24 * time.Hour // what a route may keep its answers for
	MaxCacheAge     = 7 * 24 * time.Hour // and those that it gives again to others

	Queue    = 16              // invocations that wait for each that a plugin may run at a time
	Attempts = limits.Attempts // the first run and three re-runs after conflicts
)

// Default returns the limits of a plugin whose manifest names none.
func Default() Limits {
	return Limits{
		Memory:       64 << 20,
		Deadline:     limits.Deadline,
		RequestBody:  limits.RequestBody,
		ResponseBody: limits.ResponseBody,
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
