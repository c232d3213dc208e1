package egress

import (
	"time"

	"github.com/wasmoor/wasmoor/abi/limits"
)

// Limits bound the calls of one attempt to other services, and of no more:
// all of a plugin's are bounded by these and by limit.Limits.Concurrency. Sizes are
// bytes.
type Limits struct {
	Timeout      time.Duration // of a call, to the end of its response's body
	ResponseBody int64         // decompressed
	Calls        int           // that an attempt may open, closed ones included
	Concurrent   int           // that wait for a response's head at a time
}

// DefaultLimits returns the bounds of a plugin whose manifest names none.
func DefaultLimits() Limits {
	return Limits{Timeout: 5 * time.Second, ResponseBody: limits.ResponseBody, Calls: limits.Calls, Concurrent: 8}
}

// MaximumLimits returns what a manifest may ask for.
func MaximumLimits() Limits {
	return Limits{Timeout: 60 * time.Second, ResponseBody: 64 << 20, Calls: 100, Concurrent: 32}
}

// Bounds that are the same for every plugin, in bytes.
const (
	MaxBody   = limits.CallBody   // of the request of a call
	MaxBodies = limits.CallBodies // of the requests of an attempt's calls, until they are sent or closed
	MaxHead   = limits.CallHead

	MaxAnswers = limits.CallAnswers // of the answers to a request's calls that are kept, heads and bodies
)
