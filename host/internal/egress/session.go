package egress

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/field"
)

// Session holds the calls of one attempt of a handler. It belongs to one
// goroutine at a time. Close it: its handles end with it.
type Session struct {
	client *Client
	trace  Trace
	calls  []*call // the handle is the index and one; nil = closed
	bodies int     // bytes of their requests

	unrepeatable bool
}

// Session returns a session for an attempt.
func (c *Client) Session(trace Trace) Session { return Session{client: c, trace: trace.checked()} }

// call is one handle.
type call struct {
	out     outgoing
	written int // bytes of the body, which a redirect may drop
	timeout time.Duration
	sent    bool
	cancel  context.CancelFunc
	resp    reply             // of a sent call that has one
	failed  *failure          // of the call or of its body, for good
	got     int64             // bytes of the body, decompressed
	ended   bool              // the body was read to its end
	answer  *abi.HTTPResponse // what Response gives; nil = not asked for yet
}

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
	case !s.client.covers(t.origin):
		return 0, abi.Denied, t.origin.String() + " is not granted; the manifest asks for it with outbound.allow"
	case len(s.calls) >= s.client.cfg.Limits.Calls:
		return 0, abi.Limit, "the attempt has made all the calls it may"
	}
	f, why := readFields(r.Headers, t, s.trace.Host)
	if why != "" {
		return 0, abi.Invalid, why
	}
	c := &call{
		out:     outgoing{method: method, target: t, fields: f, header: s.header(f.given), flags: r.Flags},
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
	case c.sent:
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
// how many have a response when each has one or has failed. It returns a status,
// NotFound or Invalid, and sends nothing, where a handle is void, stands twice or
// was sent before. The error is that of ctx, which bounds every call and the
// reading of its body.
func (s *Session) Send(ctx context.Context, handles []uint32) (int, abi.Status, error) {
	calls := make([]*call, len(handles))
	for i, handle := range handles {
		c := s.call(handle)
		switch {
		case c == nil:
			return 0, abi.NotFound, nil
		case c.sent || slices.Contains(calls[:i], c):
			return 0, abi.Invalid, nil
		}
		calls[i] = c
	}
	for _, c := range calls {
		s.note(c)
	}
	s.run(ctx, calls)
	answered := 0
	for _, c := range calls {
		s.forget(c)
		if c.resp.Response != nil {
			answered++
		}
	}
	return answered, abi.OK, ctx.Err()
}

// note marks a call as sent, and the attempt as one that must not be repeated
// when the call may have changed something elsewhere.
func (s *Session) note(c *call) {
	c.sent = true
	if c.out.method != http.MethodGet && c.out.method != http.MethodHead && !s.client.cfg.Idempotent {
		s.unrepeatable = true
	}
}

// Unrepeatable reports whether running the handler again would repeat a call
// that must not be repeated.
func (s *Session) Unrepeatable() bool { return s.unrepeatable }

func (s *Session) run(ctx context.Context, calls []*call) {
	if len(calls) == 1 {
		s.client.run(ctx, calls[0])
		return
	}
	slots := make(chan struct{}, s.client.cfg.Limits.Concurrent)
	var all sync.WaitGroup
	for _, c := range calls {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			s.client.run(ctx, c)
		})
	}
	all.Wait()
}

func (c *Client) run(ctx context.Context, one *call) {
	if why := one.out.wrongLength(len(one.out.body)); why != "" {
		one.failed = &failure{abi.Invalid, why}
		return
	}
	ctx, one.cancel = context.WithTimeout(ctx, one.timeout)
	if one.resp, one.failed = c.follow(ctx, &one.out); one.failed != nil {
		one.cancel()
	}
}

// Response returns what became of a sent call: its Failure, or the head of its
// response, with names in lower case and in order. It is the session's and is not
// changed. Else it returns a status, NotFound or Invalid.
func (s *Session) Response(handle uint32) (*abi.HTTPResponse, abi.Status) {
	c := s.call(handle)
	switch {
	case c == nil:
		return nil, abi.NotFound
	case !c.sent:
		return nil, abi.Invalid
	}
	if c.answer == nil {
		c.answer = c.response()
	}
	return c.answer, abi.OK
}

func (c *call) response() *abi.HTTPResponse {
	r := &abi.HTTPResponse{URL: c.out.target.url.String()}
	if c.resp.Response == nil {
		r.Failure, r.Reason = uint32(-c.failed.status), c.failed.reason
		return r
	}
	r.Status = uint32(c.resp.StatusCode)
	for name, values := range c.resp.Header {
		if field.IsHopByHop(name) {
			continue
		}
		for _, v := range values {
			r.Headers = append(r.Headers, abi.Pair{Name: strings.ToLower(name), Value: v})
		}
	}
	slices.SortStableFunc(r.Headers, func(a, b abi.Pair) int { return strings.Compare(a.Name, b.Name) })
	return r
}

// Read waits for the next bytes of a response's body; 0 with OK is the end. The
// status of a failed call is that of its failure, and stays.
func (s *Session) Read(handle uint32, buf []byte) (int, abi.Status) {
	c := s.call(handle)
	switch {
	case c == nil:
		return 0, abi.NotFound
	case !c.sent:
		return 0, abi.Invalid
	case c.failed != nil:
		return 0, c.failed.status
	case c.ended || len(buf) == 0:
		return 0, abi.OK
	}
	n, err := c.read(buf, s.client.cfg.Limits.ResponseBody)
	if n > 0 {
		return n, abi.OK // an error comes again
	}
	if errors.Is(err, io.EOF) {
		c.ended = true
		return 0, abi.OK
	}
	c.failed = explain(c.out.target, err)
	c.release()
	return 0, c.failed.status
}

// read reads at least a byte or an error. At the limit, most bytes, it looks
// whether the body goes on.
func (c *call) read(buf []byte, most int64) (int, error) {
	if room := most - c.got; room > 0 {
		n, err := io.ReadAtLeast(c.resp.Body, buf[:min(int64(len(buf)), room)], 1)
		c.got += int64(n)
		return n, err
	}
	if _, err := io.ReadAtLeast(c.resp.Body, make([]byte, 1), 1); err != nil {
		return 0, err
	}
	return 0, &failure{abi.Limit, "the response of " + c.out.target.String() + " is over the limit"}
}

// Reason returns why a call failed, "" if it did not.
func (s *Session) Reason(handle uint32) string {
	if c := s.call(handle); c != nil && c.failed != nil {
		return c.failed.reason
	}
	return ""
}

// CloseCall ends a call and frees what it holds.
func (s *Session) CloseCall(handle uint32) abi.Status {
	c := s.call(handle)
	if c == nil {
		return abi.NotFound
	}
	c.release()
	s.forget(c)
	s.calls[handle-1] = nil
	return abi.OK
}

func (c *call) release() {
	if c.resp.Response != nil {
		_ = c.resp.Body.Close() // the call is over either way
	}
	if c.cancel != nil {
		c.cancel()
	}
}

// Close ends all calls. It may be called again.
func (s *Session) Close() {
	for _, c := range s.calls {
		if c != nil {
			c.release()
		}
	}
	s.calls, s.bodies = nil, 0
}
