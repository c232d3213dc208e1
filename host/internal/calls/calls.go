// Package calls is the way in of calls from one plugin to another: each is a request
// within the attempt of its caller, whose transaction it has. This package finds who
// handles it, on which version, and has package serve handle it like any other; which
// effects it leaves, package dispatch decides. Package host wires it.
package calls

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/serve"
	"github.com/wasmoor/wasmoor/host/internal/service"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

// MaxPlugins is how many plugins one request reaches in addition to its own.
const MaxPlugins = 16

// attributeFrom names the plugin that calls; only this package sets it.
const attributeFrom = "caller.plugin"

// Caller runs the calls of all plugins, and finds whom they send messages. The zero
// Caller waits for Use. Safe for concurrent use.
type Caller struct {
	deployer *deploy.Deployer
	handler  *serve.Handler
}

// Use has c call what serves. It is called once, before the first request comes.
func (c *Caller) Use(d *deploy.Deployer, h *serve.Handler) { c.deployer, c.handler = d, h }

// pinned are the deployments that a request has reached, which it reaches in all its
// attempts. They implement invoke.State.
type pinned map[string]deploy.Held

const pinsName = "calls"

// Close implements invoke.State.
func (p pinned) Close() {
	for _, held := range p {
		held.Deployment.Release()
	}
}

// hold returns the deployment of a plugin for a request: that of its first call, on the
// side of a roll-out on which whoever sent the request is.
func (c *Caller) hold(root *invoke.Invocation, name string) (deploy.Held, error) {
	pins, _ := root.OfRequest(pinsName).(pinned)
	if held, ok := pins[name]; ok {
		return held, nil
	}
	if len(pins) == MaxPlugins {
		return deploy.Held{}, fault.New(fault.Unavailable, "call", fmt.Sprintf("a request reaches at most %d plugins in addition to its own", MaxPlugins))
	}
	held, err := c.deployer.Hold(name, root.Request.Sender)
	if err != nil {
		return held, err
	}
	if pins == nil {
		pins = pinned{}
		root.KeepOfRequest(pinsName, pins)
	}
	pins[name] = held
	return held, nil
}

// Run is a service.Runner.
func (c *Caller) Run(ctx context.Context, caller *invoke.Invocation, q *service.Call) (service.Answer, error) {
	held, err := c.hold(caller.Root(), q.Plugin)
	if err != nil {
		return refuse(caller, http.StatusServiceUnavailable, err), nil
	}
	request, limits, refused := c.request(caller, held, q)
	if refused != nil {
		return refused.answer(caller), nil
	}
	inv := &invoke.Invocation{Request: request}
	inv.Within(caller)
	var rec trace.Record
	err = c.handler.Handle(ctx, serve.Target{Deployment: held.Deployment.Within(caller), Limits: limits}, inv, &rec)
	switch {
	case err == nil:
		return answer(inv), nil
	case dispatch.Over(ctx, caller, err):
		return service.Answer{}, err
	}
	return refuse(caller, statusOf(fault.CodeOf(err)), err), nil
}

// Receive is a service.Finder.
func (c *Caller) Receive(caller *invoke.Invocation, name string) (service.Receiver, error) {
	held, err := c.hold(caller.Root(), name)
	if err != nil {
		return service.Receiver{}, err
	}
	space, shared, err := held.Deployment.Within(caller).Join()
	return service.Receiver{Manifest: held.Manifest, Space: space, Shared: shared}, err
}

// request makes the request of a call, or says why there is none.
func (c *Caller) request(caller *invoke.Invocation, held deploy.Held, q *service.Call) (*invoke.Request, limit.Limits, *refusal) {
	slashes, why := checkPath(q.Path)
	if why != "" {
		return nil, limit.Limits{}, &refusal{status: http.StatusBadRequest, code: fault.Invalid, detail: why}
	}
	to, allow, ok := held.Manifest.Match(q.Method, q.Path)
	limits := held.Manifest.RouteLimits(to.Route)
	if q.Timeout > 0 {
		limits.Deadline = min(limits.Deadline, q.Timeout)
	}
	switch {
	case !ok && allow != nil:
		return nil, limits, &refusal{status: http.StatusMethodNotAllowed, code: fault.Invalid, detail: "the plugin does not take the method " + q.Method + " there", allow: strings.Join(allow, ", ")}
	case !ok:
		return nil, limits, &refusal{status: http.StatusNotFound, code: fault.NotFound, detail: "the plugin has no route for " + q.Path}
	case slashes && !held.Manifest.Route(to.Route).EncodedSlashes:
		return nil, limits, &refusal{status: http.StatusBadRequest, code: fault.Invalid, detail: "the path has an encoded slash, which the route does not take"}
	case int64(len(q.Body)) > limits.RequestBody:
		return nil, limits, &refusal{status: http.StatusRequestEntityTooLarge, code: fault.TooLarge, detail: "the body is over the limit of " + limit.FormatSize(limits.RequestBody) + " (limits.request_body)"}
	}
	head := &caller.Request.Head
	return &invoke.Request{
		Head: abi.RequestHead{
			Method: q.Method, Path: q.Path, Mount: held.Mount, Pattern: to.Pattern, Params: to.Params, Query: q.Query,
			Headers: q.Header, Scheme: "http", Host: q.Plugin + plugin.Internal, Remote: head.Remote, RequestID: head.RequestID,
			Trigger: abi.TriggerCall, Attributes: []abi.Pair{{Name: attributeFrom, Value: caller.Env.Plugin}},
			BodySize: uint64(len(q.Body)),
		},
		Body: invoke.BodyOf(q.Body), DropEffects: q.Method == http.MethodHead, Arrived: time.Now(),
	}, limits, nil
}

// answer is what a callee has replied.
func answer(inv *invoke.Invocation) service.Answer {
	reply := &inv.Reply
	a := service.Answer{Status: reply.Status, Body: reply.Body, Header: make([]abi.Pair, 0, len(reply.Headers)+1)}
	length := int64(len(a.Body))
	switch {
	case reply.IsLengthOnly():
		length, a.Body = reply.Length, nil
	case inv.Request.Head.Method == http.MethodHead:
		a.Body = nil
	}
	for _, f := range reply.Headers {
		a.Header = append(a.Header, abi.Pair{Name: strings.ToLower(f.Name), Value: f.Value})
	}
	if length >= 0 && reply.Status != http.StatusNoContent && reply.Status != http.StatusNotModified {
		a.Header = append(a.Header, abi.Pair{Name: "content-length", Value: strconv.FormatInt(length, 10)})
	}
	slices.SortStableFunc(a.Header, func(a, b abi.Pair) int { return strings.Compare(a.Name, b.Name) })
	return a
}

// refusal is why a call has no answer of its callee.
type refusal struct {
	status int
	code   fault.Code
	detail string
	allow  string        // the methods of a 405
	after  time.Duration // to wait before another try; 0 = as of its code
}

func refuse(caller *invoke.Invocation, status int, err error) service.Answer {
	code := fault.CodeOf(err)
	r := refusal{status: status, code: code, detail: fault.MessageOf(err)}
	pause := dispatch.PausedBy(err)
	switch {
	case pause != nil && pause.Writes: // whoever pauses a plugin is told how to end that, not who calls it
		r.detail, r.after = "the plugin takes no changes at the moment; what it wrote is gone, reading goes on", pause.RetryAfter
	case pause != nil:
		r.detail, r.after = "the plugin is paused by its operator; try again later", pause.RetryAfter
	case code == fault.Trap, code == fault.BadReply: // it may quote the callee
		r.detail = "the handler of the plugin failed; what it wrote is gone"
	case code == fault.Deadline:
		r.detail = "the handler of the plugin took too long; what it wrote is gone"
	}
	return r.answer(caller)
}

func (r *refusal) answer(caller *invoke.Invocation) service.Answer {
	body, _ := json.Marshal(adminapi.Problem{ // strings and numbers: it cannot fail
		Type: "urn:wasmoor:" + string(r.code), Title: http.StatusText(r.status), Status: r.status, Code: string(r.code),
		Detail: r.detail, RequestID: caller.Request.Head.RequestID,
	})
	a := service.Answer{Status: r.status, Body: body, Fault: r.code}
	if r.allow != "" {
		a.Header = append(a.Header, abi.Pair{Name: "allow", Value: r.allow})
	}
	a.Header = append(a.Header,
		abi.Pair{Name: "content-length", Value: strconv.Itoa(len(body))}, abi.Pair{Name: "content-type", Value: adminapi.TypeProblem})
	if r.code == fault.Unavailable {
		after := cmp.Or(r.after, 5*time.Second)
		a.Header = append(a.Header, abi.Pair{Name: "retry-after", Value: strconv.Itoa(int(after / time.Second))})
	}
	return a
}

// statusOf is the status that a caller gets for a fault of its callee, as a client would.
func statusOf(code fault.Code) int {
	switch code {
	case fault.Unavailable, fault.NotFound, fault.Conflict:
		return http.StatusServiceUnavailable
	case fault.Trap, fault.BadReply:
		return http.StatusBadGateway
	case fault.Deadline:
		return http.StatusGatewayTimeout
	case fault.Exhausted:
		return http.StatusInsufficientStorage
	case fault.TooLarge:
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusInternalServerError
}
