package egress

import (
	"strconv"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/trace"
)

// Trace is what of a request goes along with the calls made for it. A stranger
// wrote it: a traceparent that is none is left out, and so is a tracestate
// without one, or of more than 512 bytes (W3C Trace Context §3.3.1.5). Else a
// header too large for the services would tell against them.
type Trace struct {
	RequestID   string
	Traceparent string // "" = none
	Tracestate  string
	Host        string // of the request; a guest that passes it on asks for nothing
	// Timeline, if not nil, takes a span for each call, which the service is told of
	// in place of Traceparent.
	Timeline *trace.Timeline
}

// checked returns what of t may be sent.
func (t Trace) checked() Trace {
	_, ok := trace.Parse(t.Traceparent)
	switch {
	case !ok:
		t.Traceparent, t.Tracestate = "", ""
	case len(t.Tracestate) > trace.MaxState:
		t.Tracestate = ""
	}
	return t
}

// begin returns the id of the span of a call, and the traceparent to send with it.
func (t *Trace) begin() (span [8]byte, parent string) {
	if t.Timeline == nil {
		return span, t.Traceparent
	}
	c := t.Timeline.Context
	c.Span = trace.NewSpan()
	return c.Span, c.Parent()
}

// end notes a call that has its answer, or has failed.
func (t *Trace) end(c *call, method string, to target, start time.Time) {
	if t.Timeline == nil {
		return
	}
	port, _ := strconv.Atoi(to.url.Port())
	call := trace.Call{
		Span: c.span, Method: method, URL: nameOf(to), Host: to.url.Hostname(), Port: port,
		Status: int(c.answer.head.Status), Start: start, End: time.Now(),
	}
	if c.answer.failed != nil {
		call.Failure = c.answer.failed.reason
	}
	t.Timeline.Call(call)
}

// nameOf is where a call went, for people and without what may be secret.
func nameOf(to target) string {
	u := *to.url
	u.RawQuery, u.User = "", nil
	name := u.String()
	return name[:min(len(name), maxName)]
}
