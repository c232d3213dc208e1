package serve_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/redact"
	"github.com/wasmoor/wasmoor/host/internal/serve"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

// deployment does what the test says.
type deployment struct {
	do       func(*invoke.Invocation) (dispatch.Result, error)
	env      invoke.Env
	plugin   *dispatch.Plugin
	released int
}

func stub(do func(*invoke.Invocation) (dispatch.Result, error)) *deployment {
	return &deployment{do: do, env: invoke.Env{Plugin: "demo", Version: 3}, plugin: dispatch.NewPlugin("demo", 1, nil, nil)}
}

func (d *deployment) Do(_ context.Context, inv *invoke.Invocation, l limit.Limits) (dispatch.Result, error) {
	inv.Begin(1, l, nil)
	return d.do(inv)
}

func (d *deployment) Acquire() bool            { d.released--; return true }
func (d *deployment) Release()                 { d.released++ }
func (d *deployment) Env() *invoke.Env         { return &d.env }
func (d *deployment) Plugin() *dispatch.Plugin { return d.plugin }

func request() *invoke.Invocation {
	return &invoke.Invocation{Request: &invoke.Request{
		Head: abi.RequestHead{Method: "POST", Path: "/a", Pattern: "POST /{x}", RequestID: "id", Trigger: abi.TriggerHTTP},
		Body: invoke.BodyOf([]byte("body")),
	}}
}

func TestHandle(t *testing.T) {
	whole := dispatch.Result{
		Attempts: 2, Outcome: trace.Committed, Wait: 1, Wake: 2, Run: 3, Commit: 4,
		Conflict: &store.Conflict{Space: 16, Key: []byte("k")},
	}
	base := trace.Record{
		ID: "id", Plugin: "demo", Version: 3, Trigger: "http", Method: "POST", Path: "/a", Pattern: "POST /{x}", BytesIn: 4,
	}
	tests := []struct {
		name string
		do   func(*invoke.Invocation) (dispatch.Result, error)
		code fault.Code
		want func(*trace.Record)
	}{
		{"an answer", func(inv *invoke.Invocation) (dispatch.Result, error) {
			inv.Reply.Status, inv.Pattern = 201, "POST /a"
			inv.Reply.Write([]byte("answer"), 100)
			return whole, nil
		}, "", func(r *trace.Record) {
			r.Pattern, r.Status, r.BytesOut, r.Attempts, r.Outcome = "POST /a", 201, 6, 2, "committed"
			r.Wait, r.Wake, r.Run, r.Commit = 1, 2, 3, 4
			r.Conflict, r.ConflictSpace, r.ConflictKey = true, 16, "k"
		}},
		{"a failure", func(inv *invoke.Invocation) (dispatch.Result, error) {
			return dispatch.Result{Attempts: 1, Outcome: trace.Aborted}, fault.New(fault.Trap, "", "why")
		}, fault.Trap, func(r *trace.Record) {
			r.Attempts, r.Outcome, r.Code, r.Error = 1, "aborted", "trap", "why"
		}},
		{"a pause", func(*invoke.Invocation) (dispatch.Result, error) {
			return dispatch.Result{Outcome: trace.None}, fault.Wrap(fault.Unavailable, "", "no", dispatch.Paused{Pause: &plugin.Pause{}})
		}, fault.Unavailable, func(r *trace.Record) {
			r.Outcome, r.Code, r.Stopped = "none", "unavailable", trace.Paused
			r.Error = "no: by  since 0001-01-01T00:00:00Z"
		}},
		{"a panic", func(*invoke.Invocation) (dispatch.Result, error) { panic("s3cret") }, fault.Internal, func(r *trace.Record) {
			r.Outcome, r.Code, r.Error = "unknown", "internal", "serve: panic: s3cret"
		}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			var log strings.Builder
			d, seen := stub(tc.do), 0
			want := base
			tc.want(&want)
			h := serve.New(slog.New(slog.NewTextHandler(&log, nil)), serve.Remember, func(p *dispatch.Plugin, r *trace.Record) {
				seen++
				if d.released != 1 || p != d.plugin || r.ID != "id" {
					t.Errorf("observed %p, %+v after %d releases", p, r, d.released)
				}
			})
			var rec trace.Record
			err := h.Handle(t.Context(), serve.Target{Deployment: d}, request(), &rec)
			if fault.CodeOf(err) != tc.code || seen != 1 {
				t.Errorf("got %v, observed %d times", err, seen)
			}
			ignored := cmpopts.IgnoreFields(trace.Record{}, "Start")
			if diff := cmp.Diff(want, rec, ignored); diff != "" {
				t.Errorf("record (-want +got)\n%s", diff)
			}
			if found := d.plugin.Recent.Find("id"); len(found) != 1 || found[0] != rec {
				t.Errorf("remembered %+v", found)
			}
			if panicked := strings.Contains(log.String(), "s3cret"); panicked != (tc.name == "a panic") {
				t.Errorf("logged %q", log.String())
			}
		})
	}
}

func TestARequestWithoutAnIDGetsOne(t *testing.T) {
	inv := request()
	inv.Request.Head.RequestID = ""
	d := stub(func(*invoke.Invocation) (dispatch.Result, error) { return dispatch.Result{}, nil })
	var rec trace.Record
	if err := serve.New(slog.New(slog.DiscardHandler)).Handle(t.Context(), serve.Target{Deployment: d}, inv, &rec); err != nil {
		t.Fatal(err)
	}
	if id := inv.Request.Head.RequestID; len(id) != 26 || rec.ID != id {
		t.Errorf("the request has the id %q, its record %q", id, rec.ID)
	}
}

// TestAPatternOfBefore: an invocation is used again, and a request that no attempt
// began for has matched nothing of the guest's.
func TestAPatternOfBefore(t *testing.T) {
	inv := request()
	inv.Pattern = "GET /before"
	var rec trace.Record
	err := serve.New(slog.New(slog.DiscardHandler)).Handle(t.Context(), serve.Target{Deployment: refusing{stub(nil)}}, inv, &rec)
	if fault.CodeOf(err) != fault.Unavailable || rec.Pattern != "POST /{x}" {
		t.Errorf("pattern %q, error %v", rec.Pattern, err)
	}
}

// refusing is a deployment that is at its limit.
type refusing struct{ *deployment }

func (refusing) Do(context.Context, *invoke.Invocation, limit.Limits) (dispatch.Result, error) {
	return dispatch.Result{Outcome: trace.None}, fault.New(fault.Unavailable, "", "full")
}

func TestHandleAllocatesNothing(t *testing.T) {
	d := stub(func(*invoke.Invocation) (dispatch.Result, error) { return dispatch.Result{Attempts: 1}, nil })
	h, inv, rec := serve.New(slog.New(slog.DiscardHandler), serve.Count, serve.Remember), request(), new(trace.Record)
	handle := func() {
		if err := h.Handle(context.Background(), serve.Target{Deployment: d}, inv, rec); err != nil {
			t.Error(err)
		}
	}
	for range trace.Recent {
		handle()
	}
	if n := testing.AllocsPerRun(100, handle); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// tracer gives every request the same timeline.
type tracer struct{ line *trace.Timeline }

func (t tracer) Begin(*invoke.Request) *trace.Timeline { return t.line }

// TestTrace: whoever observes a traced request has its timeline, and what keeps its
// record the id of its trace alone.
func TestTrace(t *testing.T) {
	line := &trace.Timeline{Context: trace.Context{Trace: [16]byte{1}}}
	d := stub(func(inv *invoke.Invocation) (dispatch.Result, error) {
		if inv.Request.Timeline != line || inv.Request.TraceID() != line.ID() {
			t.Error("the request does not know its trace")
		}
		inv.Out += 5
		return dispatch.Result{Attempts: 1}, nil
	})
	seen := 0
	h := serve.New(slog.New(slog.DiscardHandler), serve.Remember, func(_ *dispatch.Plugin, r *trace.Record) {
		if seen++; r.Timeline != line || r.Trace != line.Trace || r.Out != 5 {
			t.Errorf("observed %+v", r)
		}
	})
	h.Trace(tracer{line})
	var rec trace.Record
	if err := h.Handle(t.Context(), serve.Target{Deployment: d}, request(), &rec); err != nil || seen != 1 {
		t.Error(err, seen)
	}
	if found := d.plugin.Recent.Find("id"); len(found) != 1 || found[0].Timeline != nil || found[0].Trace != line.Trace {
		t.Errorf("remembered %+v", found)
	}
}

// TestSecrets: what a plugin's code says of a secret reaches nobody: not the record, nor
// whoever the error is for.
func TestSecrets(t *testing.T) {
	line := &trace.Timeline{Context: trace.Context{Sampled: true}}
	d := stub(func(inv *invoke.Invocation) (dispatch.Result, error) {
		inv.Pattern = "GET /s3cret-s3cret"
		line.Call(trace.Call{URL: "https://api/bot-s3cret-s3cret/send", Failure: "s3cret-s3cret"})
		return dispatch.Result{Attempts: 1, Outcome: trace.Aborted}, fault.New(fault.Trap, "handle", "panic: s3cret-s3cret")
	})
	d.env.Redact = redact.New(map[string]string{"KEY": "s3cret-s3cret"})
	h := serve.New(slog.New(slog.DiscardHandler), serve.Remember)
	h.Trace(tracer{line})
	var rec trace.Record
	err := h.Handle(t.Context(), serve.Target{Deployment: d}, request(), &rec)
	if fault.CodeOf(err) != fault.Trap || err.Error() != "handle: panic: [redacted KEY]" || rec.Error != err.Error() || rec.Pattern != "GET /[redacted KEY]" {
		t.Errorf("%v, %+v", err, rec)
	}
	if _, calls, _ := line.Steps(); calls[0].URL != "https://api/bot-[redacted KEY]/send" || calls[0].Failure != "[redacted KEY]" {
		t.Errorf("%+v", calls)
	}
	if found := d.plugin.Recent.Find("id"); len(found) != 1 || found[0].Error != rec.Error {
		t.Errorf("remembered %+v", found)
	}
}
