// Package serve is the one way from a way in (the public listener, later cron,
// queues, sockets, calls) to a plugin: it runs a request on the deployment that was
// found for it, and tells what became of it. Nothing below it knows which way the
// request came. Ways in import it, and package host.
package serve

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/redact"
	"github.com/wasmoor/wasmoor/host/internal/requestid"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

// Deployment is what serve needs of a dispatch.Deployment.
type Deployment interface {
	// Do runs inv's handler and settles its effects. It keeps nothing of inv
	// when it returns.
	Do(ctx context.Context, inv *invoke.Invocation, limits limit.Limits) (dispatch.Result, error)
	// Acquire holds it for one more request. It reports false once it drains.
	Acquire() bool
	// Release ends a hold, such as that which Target tells of.
	Release()
	Env() *invoke.Env
	Plugin() *dispatch.Plugin
}

// Target is who handles a request. Whoever found it holds the deployment, which
// fixes the version while the request is read under its limits.
type Target struct {
	Deployment Deployment // nil = nobody
	Limits     limit.Limits
}

// Observer is told of every request when it is over. It may keep the record's
// values but not its address.
type Observer func(*dispatch.Plugin, *trace.Record)

// Count is the Observer that counts a plugin's requests, and for a roll-out those of
// each version.
func Count(p *dispatch.Plugin, r *trace.Record) {
	p.Counts.Add(r)
	p.Tally.Load().Add(r)
}

// Remember is the Observer that keeps a record with the plugin's recent ones.
func Remember(p *dispatch.Plugin, r *trace.Record) { p.Recent.Add(r) }

// Tracer places a request in a trace before it is handled. An Observer of the same
// tracer tells of it afterwards.
type Tracer interface {
	Begin(r *invoke.Request) *trace.Timeline
}

// Handler handles requests. Safe for concurrent use.
type Handler struct {
	log       *slog.Logger
	tracer    Tracer // nil = requests are not traced
	observers []Observer
}

// New returns a Handler. It logs nothing but panics.
func New(log *slog.Logger, observers ...Observer) *Handler {
	return &Handler{log: log, observers: observers}
}

// Trace has all requests traced. Call it before the first.
func (h *Handler) Trace(t Tracer) { h.tracer = t }

// Handle runs inv's handler on t, releases t, fills rec and tells the observers,
// whatever happens. The request is in inv.Request, where one without an id gets a
// new one, and the reply in inv.Reply. Both inv and rec are the caller's to reuse.
//
// Errors are those of dispatch.Deployment.Do. A panic below is logged and becomes
// Internal, and then the outcome of the effects is unknown.
func (h *Handler) Handle(ctx context.Context, t Target, inv *invoke.Invocation, rec *trace.Record) (err error) {
	plugin := t.Deployment.Plugin() // outlives the hold
	inv.Pattern = ""                // the last request's, where no attempt begins
	inv.Out = 0
	env := t.Deployment.Env()
	begin(rec, env, inv.Request)
	if h.tracer != nil {
		rec.Timeline = h.tracer.Begin(inv.Request)
		rec.Trace, inv.Request.Timeline = rec.Timeline.Trace, rec.Timeline
	}
	defer func() {
		if reason := recover(); reason != nil {
			err = h.panicked(rec, reason)
		}
		rec.Stopped = dispatch.Stopped(err)
		err = hide(rec, inv, env.Redact, err)
		t.Deployment.Release()
		finish(rec, inv, err)
		for _, observe := range h.observers {
			observe(plugin, rec)
		}
	}()
	res, err := t.Deployment.Do(ctx, inv, t.Limits)
	result(rec, &res)
	return err
}

// begin notes what is known before.
func begin(rec *trace.Record, env *invoke.Env, r *invoke.Request) {
	head := &r.Head
	if head.RequestID == "" {
		head.RequestID = requestid.New(time.Now())
	}
	*rec = trace.Record{
		ID: head.RequestID, Plugin: env.Plugin, Version: env.Version, Preview: env.Preview, Trigger: head.Trigger,
		Method: head.Method, Path: head.Path, Pattern: head.Pattern,
		BytesIn: r.Body.Size(), Outcome: trace.Unknown,
	}
}

// hide takes the secrets of the plugin out of what its code has said: an error, which
// goes to logs and to operators, a pattern, the places of calls.
func hide(rec *trace.Record, inv *invoke.Invocation, redactor *redact.Redactor, err error) error {
	if redactor == nil {
		return err
	}
	inv.Pattern = redactor.Text(inv.Pattern)
	rec.Timeline.Hide(redactor.Text)
	return redactor.Error(err)
}

// result notes what dispatch says.
func result(rec *trace.Record, res *dispatch.Result) {
	rec.Attempts, rec.Outcome, rec.Replayed, rec.Called = res.Attempts, res.Outcome, res.Replayed, res.Called
	rec.Start, rec.Wait, rec.Wake, rec.Run, rec.Commit = res.Start, res.Wait, res.Wake, res.Run, res.Commit
	if c := res.Conflict; c != nil {
		rec.Conflict, rec.ConflictSpace, rec.ConflictKey = true, uint64(c.Space), string(c.Key)
	}
}

// finish notes how the request ended.
func finish(rec *trace.Record, inv *invoke.Invocation, err error) {
	if inv.Pattern != "" {
		rec.Pattern = inv.Pattern
	}
	rec.Out = inv.Out
	if err != nil {
		rec.Code, rec.Error = string(fault.CodeOf(err)), err.Error()
	} else {
		rec.Status, rec.BytesOut = inv.Reply.Status, int64(len(inv.Reply.Body))
	}
}

func (h *Handler) panicked(rec *trace.Record, reason any) error {
	rec.Start = time.Now()
	h.log.Error("panic in the server", "request_id", rec.ID, "reason", reason, "stack", string(debug.Stack()))
	return fault.New(fault.Internal, "serve", fmt.Sprintf("panic: %v", reason))
}
