package public

import (
	"bytes"
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/serve"
	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
	"github.com/wasmoor/wasmoor/host/internal/server/wire"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// fasthttp's clock for the Date header runs as long as the process.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
	)
}

// guest is a deployment whose handler is Go.
type guest struct {
	handle func(*invoke.Invocation) (dispatch.Result, error)
	held   atomic.Int64
	plugin dispatch.Plugin
}

func (g *guest) Do(ctx context.Context, inv *invoke.Invocation, l limit.Limits) (dispatch.Result, error) {
	inv.Begin(1, l, nil)
	if ctx.Err() != nil {
		return dispatch.Result{}, ctx.Err()
	}
	return g.handle(inv)
}

func (g *guest) Acquire() bool    { g.held.Add(1); return true }
func (g *guest) Release()         { g.held.Add(-1) }
func (g *guest) Env() *invoke.Env { return stub }

func (g *guest) Plugin() *dispatch.Plugin { return &g.plugin }

var stub = &invoke.Env{Plugin: "stub", Version: 7}

// newPublic returns a listener with a handler of its own, and an access log where
// it has a log.
func newPublic(cfg Config) *Public {
	if cfg.Access == (wire.AccessLog{}) {
		cfg.Access = wire.AccessLog{Log: cfg.Log, Sample: wire.Each()}
	}
	cfg.Handler = serve.New(wire.OrDiscard(cfg.Log))
	return New(cfg)
}

// mounted serves one guest at /, with room for 64 bytes of body at /small, and
// GET and POST only at /fixed.
type mounted struct{ *guest }

func (m mounted) Route(method, _, path string, params []abi.Pair, _ deploy.Client) Match {
	limits := limit.Default()
	switch {
	case path == "/nothing":
		return Match{}
	case path == "/fixed" && method != "GET" && method != "POST":
		return Match{Allow: []string{"GET", "POST"}}
	case strings.HasPrefix(path, "/small"):
		limits.RequestBody = 64
	}
	m.held.Add(1)
	return Match{EncodedSlashes: strings.HasPrefix(path, "/slashes"), Target: serve.Target{Deployment: m.guest, Limits: limits}, Path: path, Pattern: "/{rest...}", Params: append(params, abi.Pair{Name: "rest", Value: path[1:]})}
}

// echo answers with what it was asked.
func echo(inv *invoke.Invocation) (dispatch.Result, error) {
	h := &inv.Request.Head
	inv.Reply.Body = append(inv.Reply.Body, h.Method+" "+h.Path+"?"+h.Query+"\n"...)
	for _, f := range h.Headers {
		inv.Reply.Body = append(inv.Reply.Body, f.Name+": "+f.Value+"\n"...)
	}
	inv.Reply.Body = append(inv.Reply.Body, '\n')
	inv.Reply.Body = append(inv.Reply.Body, bodyOf(inv)...)
	return dispatch.Result{Attempts: 1, Outcome: trace.None}, nil
}

// bodyOf returns the whole body.
func bodyOf(inv *invoke.Invocation) []byte {
	var b bytes.Buffer
	if _, err := inv.Request.Body.WriteTo(&b); err != nil {
		panic(err) // the test gets a 500
	}
	return b.Bytes()
}

// reply answers with a fixed reply.
func reply(status int, body string, headers ...abi.Pair) func(*invoke.Invocation) (dispatch.Result, error) {
	return func(inv *invoke.Invocation) (dispatch.Result, error) {
		inv.Reply.Status = status
		inv.Reply.Headers = append(inv.Reply.Headers, headers...)
		inv.Reply.Body = append(inv.Reply.Body, body...)
		return dispatch.Result{Attempts: 1, Outcome: trace.Committed}, nil
	}
}

// failing answers with a fault.
func failing(o trace.Outcome, err error) func(*invoke.Invocation) (dispatch.Result, error) {
	return func(*invoke.Invocation) (dispatch.Result, error) {
		return dispatch.Result{Attempts: 1, Outcome: o}, err
	}
}

// publicFor serves handle until the test ends and returns the address. It fails
// the test if a hold on the service is left.
func publicFor(tb testing.TB, handle func(*invoke.Invocation) (dispatch.Result, error), change ...func(*Config)) string {
	tb.Helper()
	g := &guest{handle: handle}
	cfg := Config{Routes: mounted{g}}
	for _, f := range change {
		f(&cfg)
	}
	tb.Cleanup(func() { // after the server has closed
		if n := g.held.Load(); n != 0 {
			tb.Errorf("%d holds on the service were not released", n)
		}
	})
	return servertest.Listen(tb, newPublic(cfg))
}
