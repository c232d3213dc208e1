package egress

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// Session holds the calls of one attempt of a handler. It belongs to one
// goroutine at a time. Close it: its handles end with it.
type Session struct {
	Blinds  *Blinds // that the host puts into the calls; nil = none
	client  *Client
	trace   Trace
	answers *Answers
	calls   []*call // the handle is the index and one; nil = closed
	bodies  int     // bytes of their requests
}

// Session returns a session for an attempt, whose request has answers.
func (c *Client) Session(trace Trace, answers *Answers) Session {
	return Session{client: c, trace: trace.checked(), answers: answers}
}

// call is one handle.
type call struct {
	out     outgoing
	span    [8]byte // of a request that is traced
	written int     // bytes of the body, which a redirect may drop
	timeout time.Duration
	answer  *answer // of a call that was sent; nil = it was not
	read    int     // bytes of the answer's kept body that the guest has
}

// NoService is why a call to a plugin of this server is refused that the manifest does
// not name.
const NoService = "the host names a plugin of this server, and the manifest has no [services] that name it; write e.g. [services] and below it stock = \"stock\" in wasmoor.toml"

// Open takes a call and returns its handle. Else it returns a status, Invalid,
// Limit or Denied, and the reason for a person. r is only read.
func (s *Session) Open(r *abi.HTTPRequest) (handle uint32, status abi.Status, why string) {
	method := cmp.Or(r.Method, http.MethodGet)
	if why := checkRequest(method, r); why != "" {
		return 0, abi.Invalid, why
	}
	t, why := parseTarget(r.URL)
	switch {
	case why != "":
		return 0, abi.Invalid, why
	case plugin.IsInternal(t.origin.Host):
		return 0, abi.Denied, NoService
	case !s.client.covers(t.origin):
		s.client.cfg.State.calls.count(0, notGranted)
		return 0, abi.Denied, notGrantedReason(t)
	case s.client.cfg.State.gate.shut():
		return 0, abi.Denied, OffReason
	case len(s.calls) >= s.client.cfg.Limits.Calls:
		return 0, abi.Limit, fmt.Sprintf("this run of the handler has made all of its %d calls (outbound.calls)", s.client.cfg.Limits.Calls)
	}
	f, why := readFields(r.Headers, t, s.trace.Host)
	if why != "" {
		return 0, abi.Invalid, why
	}
	span, parent := s.trace.begin()
	c := &call{
		out:     outgoing{method: method, target: t, fields: f, header: s.header(f.given, parent), flags: r.Flags, blinds: s.Blinds},
		span:    span,
		timeout: s.client.cfg.Limits.Timeout,
	}
	if asked := time.Duration(r.TimeoutMS) * time.Millisecond; asked > 0 {
		c.timeout = min(c.timeout, asked)
	}
	s.calls = append(s.calls, c)
	return uint32(len(s.calls)), abi.OK, ""
}

func (s *Session) call(handle uint32) *call {
	if handle == 0 || uint64(handle) > uint64(len(s.calls)) {
		return nil
	}
	return s.calls[handle-1]
}

// Write appends a copy of data to the body of a call that was not sent. Over
// MaxBody, or with what the others hold over MaxBodies, it
// returns Limit and appends nothing.
func (s *Session) Write(handle uint32, data []byte) abi.Status {
	c := s.call(handle)
	switch {
	case c == nil:
		return abi.NotFound
	case c.answer != nil:
		return abi.Invalid
	case len(c.out.body)+len(data) > MaxBody, s.bodies+len(data) > MaxBodies:
		return abi.Limit
	}
	s.bodies += len(data)
	c.out.body = append(c.out.body, data...)
	c.written = len(c.out.body)
	return abi.OK
}

// forget frees the body of a call that was sent or will not be.
func (s *Session) forget(c *call) {
	s.bodies -= c.written
	c.out.body, c.written = nil, 0
}

// Send sends calls, at most Limits.Concurrent at a time, and returns
// how many have a response when each has one or has failed. Those that an attempt
// before has made get the answers of that time. It returns a status,
// NotFound or Invalid, and sends nothing, where a handle is void, stands twice or
// was sent before. The error is that of ctx, which ends the calls, or it says that
// the attempt does not make the calls of the one before; then nothing was sent.
func (s *Session) Send(ctx context.Context, handles []uint32) (int, abi.Status, error) {
	calls := make([]*call, len(handles))
	for i, handle := range handles {
		c := s.call(handle)
		switch {
		case c == nil:
			return 0, abi.NotFound, nil
		case c.answer != nil || slices.Contains(calls[:i], c):
			return 0, abi.Invalid, nil
		}
		calls[i] = c
	}
	unsent, err := s.answers.match(calls, s.client)
	if err != nil {
		return 0, abi.OK, err // the attempt is over
	}
	s.run(ctx, unsent)
	answered := 0
	for _, c := range calls {
		s.forget(c)
		if c.answer.head.Failure == 0 {
			answered++
		}
	}
	return answered, abi.OK, ctx.Err()
}

// run sends calls that were not sent before.
func (s *Session) run(ctx context.Context, calls []*call) {
	switch len(calls) {
	case 0:
		return
	case 1:
		s.send(ctx, calls[0])
	default:
		s.runAll(ctx, calls)
	}
	for _, c := range calls {
		s.answers.arrived(c.answer)
	}
}

// send makes a call that was not made before.
func (s *Session) send(ctx context.Context, c *call) {
	method, to, start := c.out.method, c.out.target, time.Now()
	s.client.run(ctx, c)
	s.trace.end(c, method, to, start)
}

func (s *Session) runAll(ctx context.Context, calls []*call) {
	slots := make(chan struct{}, s.client.cfg.Limits.Concurrent)
	var all sync.WaitGroup
	for _, c := range calls {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			s.send(ctx, c)
		})
	}
	all.Wait()
}

// run makes a call up to the head of its response. The call outlives ctx, which is
// the attempt's: the next attempt may go on reading.
func (c *Client) run(ctx context.Context, one *call) {
	own, cancel := context.WithTimeout(c.cfg.State.gate.context(), one.time(ctx))
	defer context.AfterFunc(ctx, cancel)()
	resp, failed := c.follow(own, &one.out)
	if failed != nil && errors.Is(context.Cause(own), errOff) {
		failed = refusedOff()
	}
	one.answer.own = own
	c.cfg.State.calls.count(statusOf(resp), failed)
	one.answer.take(one.out.target, resp, failed, cancel)
}

// Of the time that a handler has left when it calls, a part stays for it to answer
// that the service took too long.
const (
	answerShare = 8
	answerTime  = 500 * time.Millisecond // at most
)

// time is how long the call may take under ctx, to the end of its response.
func (c *call) time(ctx context.Context) time.Duration {
	end, ok := ctx.Deadline()
	if !ok {
		return c.timeout
	}
	left := time.Until(end)
	return min(c.timeout, left-min(left/answerShare, answerTime))
}

// Response returns what became of a sent call: its Failure, or the head of its
// response, with names in lower case and in order. It is the session's and is not
// changed. Else it returns a status, NotFound or Invalid.
func (s *Session) Response(handle uint32) (*abi.HTTPResponse, abi.Status) {
	c := s.call(handle)
	switch {
	case c == nil:
		return nil, abi.NotFound
	case c.answer == nil:
		return nil, abi.Invalid
	}
	return c.answer.head, abi.OK
}

// Read waits for the next bytes of a response's body, until ctx ends; 0 with OK is
// the end. The status of a failed call is that of its failure, and stays. The error
// is that of Send.
func (s *Session) Read(ctx context.Context, handle uint32, buf []byte) (int, abi.Status, error) {
	c := s.call(handle)
	switch {
	case c == nil:
		return 0, abi.NotFound, nil
	case c.answer == nil:
		return 0, abi.Invalid, nil
	case c.read < len(c.answer.body):
		n := copy(buf, c.answer.body[c.read:])
		c.read += n
		return n, abi.OK, nil
	case len(buf) == 0 && c.answer.failed == nil:
		return 0, abi.OK, nil
	case c.answer.cut:
		return 0, abi.OK, s.answers.diverge(c.answer, "and read more of its answer")
	}
	n, failed := c.answer.next(ctx, buf, s.client.cfg.Limits.ResponseBody)
	if failed != nil {
		return 0, failed.status, nil
	}
	s.answers.keep(c.answer, buf[:n])
	c.read += n
	return n, abi.OK, nil
}

// Reason returns why a call failed, "" if it did not.
func (s *Session) Reason(handle uint32) string {
	if c := s.call(handle); c != nil && c.answer != nil && c.answer.failed != nil {
		return c.answer.failed.reason
	}
	return ""
}

// CloseCall ends a call and frees what it holds.
func (s *Session) CloseCall(handle uint32) abi.Status {
	c := s.call(handle)
	if c == nil {
		return abi.NotFound
	}
	if c.answer != nil {
		s.answers.close(c.answer)
	}
	s.forget(c)
	s.calls[handle-1] = nil
	return abi.OK
}

// Close makes all handles void. It may be called again. What the calls hold ends
// with the Answers.
func (s *Session) Close() { s.calls, s.bodies = nil, 0 }
