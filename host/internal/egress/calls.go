package egress

import (
	"strconv"
	"sync/atomic"

	"github.com/wasmoor/wasmoor/abi"
)

// calls counts what became of calls.
type calls struct {
	answered [6]atomic.Int64 // by the first digit of the status
	failed   [len(failures)]atomic.Int64
}

// failures are why calls have no answer; the last is any other.
var failures = [...]struct {
	status abi.Status
	name   string
}{{abi.Denied, "denied"}, {abi.Timeout, "timeout"}, {abi.Unreachable, "unreachable"}, {abi.OK, "other"}}

func (c *calls) count(status int, failed *failure) {
	if failed == nil {
		c.answered[min(max(status/100, 0), len(c.answered)-1)].Add(1)
		return
	}
	for i := range failures {
		if failures[i].status == failed.status || i == len(failures)-1 {
			c.failed[i].Add(1)
			return
		}
	}
}

// Each calls yield with how many calls had an outcome: "answered" with the class of
// the status, "2xx", or why there was no answer.
func (s *State) Each(yield func(outcome, class string, n int64)) {
	for digit := 2; digit < len(s.calls.answered); digit++ {
		yield("answered", strconv.Itoa(digit)+"xx", s.calls.answered[digit].Load())
	}
	for i := range failures {
		yield(failures[i].name, "", s.calls.failed[i].Load())
	}
}

// notGranted is why a call is not even made.
var notGranted = &failure{status: abi.Denied}

// statusOf is the status of a response, 0 without one.
func statusOf(r reply) int {
	if r.Response == nil {
		return 0
	}
	return r.StatusCode
}
