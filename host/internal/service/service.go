// Package service is the calls of an attempt to other plugins of this server: their
// handles, what may be called, and who receives messages. It runs nobody: package calls
// does. Capability service says what a deployment may call, capability outbound gives
// handlers the calls, and capability queue the messages.
package service

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/field"
	"github.com/wasmoor/wasmoor/host/internal/egress"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// MaxDepth is within how many others a handler may run.
const MaxDepth = 8

// Runner runs a call within the attempt of caller, and returns the answer: the callee's,
// or of the host in its place. An error ends the attempt.
type Runner func(ctx context.Context, caller *invoke.Invocation, c *Call) (Answer, error)

// Receiver is a plugin to whose queues a handler of another sends.
type Receiver struct {
	Manifest *manifest.Manifest // of the version that gets the messages
	Space    store.Space
	Shared   *store.Shared // what its spaces share with others; nil = nothing
}

// Finder returns the plugin that gets messages of caller's attempt, and has what it gets
// be among the effects of that attempt. Errors: NotFound (it does not serve), Unavailable
// (it takes no writes; the request has reached too many plugins).
type Finder func(caller *invoke.Invocation, plugin string) (Receiver, error)

// Call is a call to a plugin.
type Call struct {
	Plugin              string // whom
	Method, Path, Query string // below the callee's mount
	Header              []abi.Pair
	Body                []byte
	Timeout             time.Duration // 0 = as long as the callee's route may take
}

// Answer is what became of a call.
type Answer struct {
	Status int
	Header []abi.Pair
	Body   []byte
	Fault  fault.Code // why the host answers in the callee's place; "" = it does not
}

// Services are the plugins that a deployment may call. They implement invoke.State.
type Services struct {
	Bound map[string]string // by alias; not changed
	Count map[string]*Count // by alias; those that nothing counts are absent
	Run   Runner
	Find  Finder
}

// Close implements invoke.State.
func (s *Services) Close() {}

// Name is the one under which a deployment has its Services.
const Name = "services"

// First is above every handle of a call to a service outside.
const First = 1 << 30

// Calls are the calls of one attempt; nil has none. They belong to one goroutine at a time.
type Calls struct {
	inv    *invoke.Invocation
	may    *Services
	trace  egress.Trace
	calls  []*call // the handle is First and the index; nil = closed
	bodies int     // bytes of their requests
}

type call struct {
	egress.Local
	plugin   string
	count    *Count
	timeout  time.Duration
	body     []byte
	answered *abi.HTTPResponse // nil = it was not sent
	rest     []byte            // what the guest has not read of the answer
}

// Of returns calls for an attempt of inv, nil where its deployment may call nobody.
func Of(inv *invoke.Invocation, trace egress.Trace) *Calls {
	may, ok := inv.Env.States.Of(Name).(*Services)
	if !ok {
		return nil
	}
	return &Calls{inv: inv, may: may, trace: trace}
}

// Open takes a call and returns its handle. Else it returns a status, Invalid, Limit or
// Denied, and the reason for a person.
func (c *Calls) Open(r *abi.HTTPRequest) (handle uint32, status abi.Status, why string) {
	l, why := egress.ReadLocal(r, c.inv.Request.Head.Host)
	if why != "" {
		return 0, abi.Invalid, why
	}
	alias := strings.TrimSuffix(l.Host, plugin.Internal)
	to, why := c.may.Granted(alias)
	switch {
	case why != "":
		return 0, abi.Denied, why
	case c.inv.Depth() >= MaxDepth:
		return 0, abi.Limit, fmt.Sprintf("%d plugins call each other for this request already, which is the most; do they call in a circle?", MaxDepth+1)
	}
	c.calls = append(c.calls, &call{Local: l, plugin: to, count: c.may.Count[alias], timeout: time.Duration(r.TimeoutMS) * time.Millisecond})
	return First + uint32(len(c.calls)-1), abi.OK, ""
}

// Granted returns the plugin that an alias stands for, or says why for none. A nil
// Services has none.
func (s *Services) Granted(alias string) (to, why string) {
	names := "nothing"
	if s != nil {
		if to, ok := s.Bound[alias]; ok {
			return to, ""
		}
		if len(s.Bound) > 0 {
			names = strings.Join(slices.Sorted(maps.Keys(s.Bound)), ", ")
		}
	}
	return "", fmt.Sprintf("[services] has no %.63q that is granted; it has: %s", alias, names)
}

func (c *Calls) of(handle uint32) *call {
	if c == nil || handle < First || uint64(handle)-First >= uint64(len(c.calls)) {
		return nil
	}
	return c.calls[handle-First]
}

// Write appends a copy of data to the body of a call that was not sent; see
// egress.Session.Write.
func (c *Calls) Write(handle uint32, data []byte) abi.Status {
	one := c.of(handle)
	switch {
	case one == nil:
		return abi.NotFound
	case one.answered != nil:
		return abi.Invalid
	case len(one.body)+len(data) > egress.MaxBody, c.bodies+len(data) > egress.MaxBodies:
		return abi.Limit
	}
	c.bodies += len(data)
	one.body = append(one.body, data...)
	return abi.OK
}

// Ready returns the status of handles that are to be sent: NotFound or Invalid where one
// is void or was sent before.
func (c *Calls) Ready(handles []uint32) abi.Status {
	for _, handle := range handles {
		switch one := c.of(handle); {
		case one == nil:
			return abi.NotFound
		case one.answered != nil:
			return abi.Invalid
		}
	}
	return abi.OK
}

// Send makes calls that are Ready, one after the other, and returns how many have an
// answer. The error ends the attempt.
func (c *Calls) Send(ctx context.Context, handles []uint32) (answered int, err error) {
	for _, handle := range handles {
		one := c.of(handle)
		c.inv.Waits(one.Host)
		err := c.send(ctx, one)
		c.inv.Waits("")
		if err != nil {
			return answered, err
		}
		if one.answered.Failure == 0 {
			answered++
		}
	}
	return answered, nil
}

func (c *Calls) send(ctx context.Context, one *call) error {
	if why := one.WrongLength(len(one.body)); why != "" {
		one.answered = &abi.HTTPResponse{URL: one.URL, Failure: uint32(-abi.Invalid), Reason: why}
		return nil
	}
	span, header := c.trace.BeginCall()
	start := time.Now()
	answer, err := c.may.Run(ctx, c.inv, &Call{
		Plugin: one.plugin, Method: one.Method, Path: one.Path, Query: one.Query,
		Header: with(one.Header, header), Body: one.body, Timeout: one.timeout,
	})
	if err != nil {
		one.count.add(0, ended)
		return err
	}
	one.count.add(answer.Status, string(answer.Fault))
	c.bodies -= len(one.body)
	one.body = nil
	one.answered = &abi.HTTPResponse{URL: one.URL, Status: uint32(answer.Status), Headers: answer.Header}
	one.rest = answer.Body
	c.trace.EndCall(span, &one.Local, answer.Status, start)
	return nil
}

// with returns a header with the fields of another that it has not.
func with(header, more []abi.Pair) []abi.Pair {
	for _, f := range more {
		if field.Single(header, f.Name) == "" {
			header = append(header, f)
		}
	}
	return header
}

// Response returns what became of a sent call. Else it returns a status, NotFound or
// Invalid.
func (c *Calls) Response(handle uint32) (*abi.HTTPResponse, abi.Status) {
	one := c.of(handle)
	switch {
	case one == nil:
		return nil, abi.NotFound
	case one.answered == nil:
		return nil, abi.Invalid
	}
	return one.answered, abi.OK
}

// Reason returns why a call failed, "" if it did not.
func (c *Calls) Reason(handle uint32) string {
	if one := c.of(handle); one != nil && one.answered != nil {
		return one.answered.Reason
	}
	return ""
}

// Read takes the next bytes of an answer; 0 with OK is the end.
func (c *Calls) Read(handle uint32, buf []byte) (int, abi.Status) {
	one := c.of(handle)
	switch {
	case one == nil:
		return 0, abi.NotFound
	case one.answered == nil:
		return 0, abi.Invalid
	case one.answered.Failure != 0:
		return 0, -abi.Status(one.answered.Failure)
	}
	n := copy(buf, one.rest)
	one.rest = one.rest[n:]
	return n, abi.OK
}

// CloseCall ends a call and frees what it holds.
func (c *Calls) CloseCall(handle uint32) abi.Status {
	one := c.of(handle)
	if one == nil {
		return abi.NotFound
	}
	c.bodies -= len(one.body)
	c.calls[handle-First] = nil
	return abi.OK
}
