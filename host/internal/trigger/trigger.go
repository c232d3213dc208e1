// Package trigger is the ways in that are no connection: requests that the host makes
// itself, because a message waits or a time has come. Each is an
// ordinary invocation of the version that serves. Whoever triggers decides when, and
// what is settled with it (invoke.Claim); this package finds who handles it and runs
// it. Packages queue/delivery and cron/ticking trigger, and package host wires them.
package trigger

import (
	"cmp"
	"context"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/field"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/serve"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

// Runner runs what is triggered. Safe for concurrent use.
type Runner struct {
	deployer *deploy.Deployer
	handler  *serve.Handler
}

// New returns a Runner.
func New(d *deploy.Deployer, h *serve.Handler) *Runner { return &Runner{d, h} }

// Request is what is triggered.
type Request struct {
	Plugin  string
	Trigger string // abi.Trigger*
	// To returns what the manifest of the version that serves names for it; false =
	// nothing.
	To         func(*manifest.Manifest) (manifest.Request, bool)
	Attributes []abi.Pair
	Body       []byte
	Upload     *invoke.Body  // in place of Body: one that the manifest bounds elsewhere; nil = Body
	Once       *invoke.Once  // carried out once, where the plugin keeps answers: it has [kv]; its Digest is the host's
	Deadline   time.Duration // 0 = that of the route
	Claim      invoke.Claim  // nil = nothing is settled with it
	Remote     string        // address of the client that it is about; "" = there is none
	Headers    []abi.Pair
}

// Outcome is what became of a request.
type Outcome struct {
	Status     int           // of the reply, 0 with an error
	RetryAfter string        // what the reply says of it
	Committed  bool          // the effects are, and what the claim has settled with them
	Called     bool          // a service was called, which may have changed something there
	Ended      bool          // an operator has ended it
	Reply      *invoke.Reply // nil with an error
	// Err is that of serve.Handler.Handle, or NotFound where nobody serves the plugin, or
	// its version has no place for the request any more.
	Err error
}

// Run handles a request on the version that serves: during a roll-out the one from
// before. It returns when the effects are durable or dropped. The end of ctx stops the
// handler, but not a commit that has begun.
func (r *Runner) Run(ctx context.Context, q *Request) Outcome {
	held, err := r.deployer.Hold(q.Plugin, nil)
	if err != nil {
		return Outcome{Err: err}
	}
	to, ok := q.To(held.Manifest)
	if !ok {
		held.Deployment.Release()
		return Outcome{Err: fault.New(fault.NotFound, "trigger", "the version that serves names no request for it any more")}
	}
	limits := held.Manifest.RouteLimits(to.Route)
	if q.Deadline > 0 {
		limits.Deadline = q.Deadline
	}
	body := invoke.BodyOf(q.Body)
	if q.Upload != nil {
		body = *q.Upload
	} else if body.Size() > limits.RequestBody {
		held.Deployment.Release()
		return Outcome{Err: fault.New(fault.TooLarge, "trigger", "the body is over the limit of "+limit.FormatSize(limits.RequestBody)+" (limits.request_body)")}
	}
	inv := &invoke.Invocation{Request: &invoke.Request{
		Head: abi.RequestHead{
			Method: to.Method, Path: to.Path, Mount: held.Mount, Pattern: to.Pattern, Params: to.Params, Query: to.Query,
			Scheme: "http", Host: q.Plugin + plugin.Internal, Remote: cmp.Or(q.Remote, "127.0.0.1"), Headers: q.Headers,
			Trigger: q.Trigger, Attributes: q.Attributes, BodySize: uint64(body.Size()),
		},
		Body: body, Claim: q.Claim, Arrived: time.Now(),
	}}
	if q.Once != nil && held.Deployment.Env().KV {
		inv.Request.Once = q.Once
	}
	var rec trace.Record
	err = r.handler.Handle(ctx, serve.Target{Deployment: held.Deployment, Limits: limits}, inv, &rec)
	out := Outcome{Committed: rec.Outcome == trace.Committed, Called: rec.Called, Err: err}
	out.Ended = dispatch.Stopped(err) == trace.Ended
	if err == nil {
		out.Status, out.Reply = inv.Reply.Status, &inv.Reply
		out.RetryAfter = field.Single(inv.Reply.Headers, "retry-after")
	}
	return out
}
