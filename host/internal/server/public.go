// Package server is the HTTP edge of the host, on Fiber: the public listener,
// which turns requests into invocations and replies into responses, and the
// admin listener with its API. No type of Fiber, fasthttp or huma leaves it.
// Only package host imports it.
package server

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// Service runs invocations of one deployment.
type Service interface {
	// Do runs inv's handler and settles its effects. It keeps nothing of inv
	// when it returns.
	Do(ctx context.Context, inv *invoke.Invocation, limits limit.Limits) (dispatch.Result, error)
	// Release ends the hold on the service that Routes.Route took.
	Release()
	Env() *invoke.Env
}

// Routes finds who answers a request. Safe for concurrent use.
type Routes interface {
	// Route looks a request up: host in lower case without a port, path as
	// received. Where it finds a Service it holds it for the caller, who
	// releases it. params is a buffer for Match.Params.
	Route(method, host, path string, params []abi.Pair) Match
}

// Match is what a lookup found. Without a Service, Allow lists the methods that
// would have found one at this path; empty means that nothing is there.
type Match struct {
	Service Service
	Limits  limit.Limits
	Keep    time.Duration // how long answers are kept for an Idempotency-Key; 0 = not at all
	Mount   string        // prefix, "" = the root
	Path    string        // relative to the mount
	Pattern string        // of the manifest's route; "" without routes
	Params  []abi.Pair
	Allow   []string
	CORS    *plugin.CORS // of the plugin, or of one mounted there; nil = none
}

// PublicConfig is what the public listener works with. Routes is required.
type PublicConfig struct {
	Routes Routes
	Conns  Conns
	// Health is asked by /readyz, in order.
	Health []Check
	// Log receives a record of each request at info, and of failures at error.
	// nil drops them.
	Log *slog.Logger
	// Certificate, if not nil, makes the listener speak TLS.
	Certificate *Certificate
	// TrustedProxies are the networks of proxies whose X-Forwarded-For, -Proto
	// and -Host tell of the client.
	TrustedProxies []netip.Prefix
	// BodyMemory is how many bytes the bodies of all requests may take at a time;
	// a request whose body does not fit is answered 503. Default 256 MiB.
	BodyMemory int64
	// ReplyMemory is how many bytes the replies over 64 KiB may take until clients
	// have read them; one that does not fit is answered 503. Default 256 MiB.
	ReplyMemory int64
	// Spool takes the bodies over 1 MiB; nil keeps them in memory.
	Spool *Spool
	// ShowErrors puts the plugin's own failure into the detail of a problem. It
	// is for an author's own machine: the text may quote the guest.
	ShowErrors bool
}

// Public is the listener plugins are reached through. Methods are safe for
// concurrent use.
type Public struct {
	*edge
	cfg   PublicConfig
	log   *slog.Logger
	calls sync.Pool
	room  atomic.Int64 // for bodies
	sends atomic.Int64 // room for replies

	processors int64 // that run Go's code

	scheme  string // of requests, as they arrive
	trusted networks
}

// NewPublic returns a Public that does not listen yet. Serve and Close it.
func NewPublic(cfg PublicConfig) *Public {
	p := &Public{
		cfg: cfg, log: orDiscard(cfg.Log), processors: int64(runtime.GOMAXPROCS(0)),
		scheme: "http", trusted: cfg.TrustedProxies,
	}
	if cfg.Certificate != nil {
		p.scheme = "https"
	}
	setDefault(&p.cfg.BodyMemory, 256<<20)
	p.room.Store(p.cfg.BodyMemory)
	setDefault(&p.cfg.ReplyMemory, 256<<20)
	p.sends.Store(p.cfg.ReplyMemory)
	p.calls.New = func() any { return &call{share: share{of: &p.room}} }
	p.edge = newEdge("public", cfg.Conns, false, p.unreadable)
	p.bind()
	return p
}

// bind is every route of the public listener. What a plugin is mounted at is
// found behind the last one.
func (p *Public) bind() {
	health := health{checks: p.cfg.Health, draining: &p.draining}
	p.app.Get(pathLive, health.live)
	p.app.Get(pathReady, health.ready)
	p.app.Use(func(c *fiber.Ctx) error {
		p.serveRequest(c.Context())
		return nil
	})

	p.serveOtherMethods(p.serveRequest) // guests may serve any
	p.app.Server().ExpectHandler = p.expect
}

// Serve serves ln until Close, and closes it. Call it once. It returns nil
// after Close; an error has the code Unavailable: ln failed.
func (p *Public) Serve(ln net.Listener) error {
	if p.cfg.Certificate != nil {
		ln = tls.NewListener(ln, p.cfg.Certificate.config())
	}
	return p.serve(ln, p.log)
}

// Close makes /readyz fail, takes no more connections and waits for the requests
// that run. When ctx ends first it cuts them off and returns a Deadline fault;
// what they had sealed is still committed.
func (p *Public) Close(ctx context.Context) error { return p.close(ctx) }

func orDiscard(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return log
}

// serveRequest answers one request.
func (p *Public) serveRequest(ctx *fasthttp.RequestCtx) {
	c := p.begin()
	defer p.end(ctx, c)
	if r := p.admit(ctx, c); r != nil {
		p.refuse(ctx, c, r)
		return
	}
	if c.match.Service == nil {
		return // answered without a handler
	}
	if r := c.readBody(ctx, p.cfg.Spool); r != nil {
		p.refuse(ctx, c, r)
		return
	}
	p.invoke(ctx, c)
}

// expect answers "Expect: 100-continue": a body that would be refused is not
// asked for.
func (p *Public) expect(ctx *fasthttp.RequestCtx) (status int) {
	status = http.StatusInternalServerError // after a panic
	c := p.begin()
	defer p.end(ctx, c)
	if r := p.admit(ctx, c); r != nil {
		p.refuse(ctx, c, r)
		return r.status
	}
	c.continues = true
	ctx.Response.Reset()
	return http.StatusContinue
}

// admit decides everything that can be decided from the head: it finds the
// route and its limits, or answers.
func (p *Public) admit(ctx *fasthttp.RequestCtx, c *call) *refusal {
	c.read(ctx)
	p.readForwarded(ctx, c)
	if c.path == "*" { // the gate lets it through with OPTIONS only
		c.answerOptions(ctx, everyMethod)
		return nil
	}
	if r := checkPath(c.path); r != nil {
		return r
	}
	if c.path == pathLive || c.path == pathReady {
		return c.probed()
	}
	if p.preflight(ctx, c) {
		return nil
	}
	c.match = p.cfg.Routes.Route(c.method, c.routeHost, c.path, c.params[:0])
	if c.match.Service == nil {
		return c.unrouted(ctx)
	}
	if max := c.match.Limits.RequestBody; int64(ctx.Request.Header.ContentLength()) > max {
		return bodyTooLarge(max)
	}
	return c.findKey()
}

// invoke runs the handler and turns its reply into the response.
func (p *Public) invoke(ctx *fasthttp.RequestCtx, c *call) {
	if r := c.fillRequest(); r != nil {
		p.log.Error("the file of a request's body cannot be read", "request_id", c.id)
		p.refuse(ctx, c, r)
		return
	}
	c.result, c.err = c.match.Service.Do(p.ctx, &c.inv, c.match.Limits)
	p.yield()
	if c.err != nil {
		p.fail(ctx, c)
		return
	}
	p.writeReply(ctx, c)
}

// yield lets other connections have their turn (BenchmarkTurns). A client that
// asks again as soon as it has an answer would otherwise be served again and
// again while others wait. Where there is a processor for each connection nobody waits, and a yield
// would only wake a thread for nothing.
func (p *Public) yield() {
	if p.gate.open.Load() > p.processors {
		runtime.Gosched()
	}
}

// begin takes a call from the pool.
func (p *Public) begin() *call {
	c := p.calls.Get().(*call)
	c.start = time.Now()
	return c
}

// end settles a call, whatever happened to it: a panic in the host is answered,
// logged and goes no further.
func (p *Public) end(ctx *fasthttp.RequestCtx, c *call) {
	if reason := recover(); reason != nil {
		p.panicked(ctx, c, reason)
	}
	if !c.continues {
		c.addCORS(ctx)
		p.report(ctx, c)
	}
	if p.draining.Load() {
		ctx.SetConnectionClose() // fasthttp learns of the end a moment later
	}
	if c.match.Service != nil {
		c.match.Service.Release()
	}
	c.reset()
	p.calls.Put(c)
}
