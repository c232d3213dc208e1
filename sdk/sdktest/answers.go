package sdktest

import (
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/limits"
)

// answers are what the calls of a request were answered, over its attempts: one
// that makes the same calls gets the same answers. The random bytes are the same,
// too.
type answers struct {
	list     []*outbound // that were sent, in order
	next     int         // the one that the attempt comes to
	diverged string      // why the attempt does not count
	drawn    []byte
	used     int // of drawn, by the attempt

	tx     *tx  // of the last attempt
	aborts bool // it has its writes dropped itself
}

// answer is what one call was answered.
type answer struct {
	asked  string
	unsafe bool   // the call may have changed something
	whole  []byte // the body
	most   int    // of its bytes that an attempt has read
}

// begin makes ready for an attempt.
func (a *answers) begin() { a.next, a.used, a.diverged = 0, 0, "" }

// again reports whether the handler may run again: what it has read of answers to
// calls that must not be repeated is kept.
func (a *answers) again() bool {
	size := 0
	for _, o := range a.list {
		if size += o.most; o.unsafe && size > limits.CallAnswers {
			return false
		}
	}
	return a.diverged == ""
}

// ended says why the attempt does not count, "" if it does.
func (a *answers) ended() string {
	if a.diverged == "" && slices.ContainsFunc(a.list[a.next:], func(o *outbound) bool { return o.unsafe }) {
		a.diverged = "the handler ran again after a call and did not ask for it again"
	}
	return a.diverged
}

// give gives o the answer of an attempt before. If there is none, o is to be sent.
func (a *answers) give(o *outbound, idempotent bool) (given bool) {
	o.asked = fmt.Sprintf("%q", []any{o.request.Method, o.request.URL, o.request.Flags, o.request.Headers, string(o.body)})
	o.unsafe = o.request.Method != http.MethodGet && o.request.Method != http.MethodHead && !idempotent
	if rest := a.list[a.next:]; len(rest) > 0 && rest[0].asked != o.asked {
		if slices.ContainsFunc(rest, func(o *outbound) bool { return o.unsafe }) {
			a.diverged = "the handler ran again after a call and now asks for " + o.request.Method + " " + o.request.URL
			return true
		}
		a.list = a.list[:a.next]
	}
	a.next++
	if a.next > len(a.list) {
		a.list = append(a.list, o)
		return false
	}
	before := a.list[a.next-1]
	o.head, o.whole, o.rest, o.sent = before.head, before.whole, before.whole, true
	return true
}

// read notes that a call's body was read up to there.
func (a *answers) read(o *outbound) {
	for _, kept := range a.list {
		if kept.asked == o.asked {
			kept.most = max(kept.most, o.got)
		}
	}
}

func (c *call) RandomFill(buf []byte) int64 {
	a := c.answers
	n := copy(buf, a.drawn[a.used:])
	if _, err := io.ReadFull(c.host.Random, buf[n:]); err != nil {
		return int64(abi.Internal)
	}
	a.drawn = append(a.drawn, buf[n:]...)
	a.used += len(buf)
	return int64(len(buf))
}
