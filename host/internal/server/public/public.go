// Package public is the listener plugins are reached through: it turns requests
// into invocations and replies into responses. No type of Fiber or fasthttp leaves
// it. Only package host imports it.
package public

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/host/internal/cache"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/live"
	"github.com/wasmoor/wasmoor/host/internal/serve"
	"github.com/wasmoor/wasmoor/host/internal/server/certificate"
	"github.com/wasmoor/wasmoor/host/internal/server/stream"
	"github.com/wasmoor/wasmoor/host/internal/server/tus"
	"github.com/wasmoor/wasmoor/host/internal/server/vitals"
	"github.com/wasmoor/wasmoor/host/internal/server/wire"
	"github.com/wasmoor/wasmoor/host/internal/socket/hub"
	"github.com/wasmoor/wasmoor/host/internal/spool"
	"github.com/wasmoor/wasmoor/host/internal/trigger"
	"github.com/wasmoor/wasmoor/host/internal/upload"
)

// Config is what the public listener works with. Routes and Handler are required.
type Config struct {
	Routes  Routes
	Handler *serve.Handler
	Conns   wire.Conns
	// Health is asked by /readyz, in order.
	Health []wire.Check
	// Log receives a record of each request that failed, within the bounds of its
	// plugin. nil drops them.
	Log *slog.Logger
	// Access receives records of requests.
	Access wire.AccessLog
	// Certificate, if not nil, makes the listener speak TLS.
	Certificate *certificate.Certificate
	// TrustedProxies are the wire.Networks of proxies whose X-Forwarded-For, -Proto
	// and -Host tell of the client.
	TrustedProxies []netip.Prefix
	// Bodies is the memory that the bodies of all requests may take at a time; a
	// request whose body does not fit is answered 503. Default 256 MiB.
	Bodies *limit.Budget
	// Replies is the memory that the replies over 64 KiB may take until clients
	// have read them; one that does not fit is answered 503. Default 256 MiB.
	Replies *limit.Budget
	// Spool takes the bodies over 1 MiB; nil keeps them in memory.
	Spool *spool.Spool
	// Live has the answers of live routes, and Streams the connections of their clients;
	// nil = no route is live.
	Live    *live.Service
	Streams *stream.Streams
	// Cache keeps answers of routes that ask for it; nil = none are kept. Close closes it.
	Cache *cache.Cache
	// ServerTiming has answers say where the time of their requests went.
	ServerTiming bool
	// Sockets, if not nil, opens sockets. Whoever made it closes it.
	Sockets *hub.Service
	// Uploads, if not nil, keeps uploads in several requests, and Trigger has plugins take
	// them. Whoever made it closes it.
	Uploads *upload.Desk
	Trigger func(context.Context, *trigger.Request) trigger.Outcome
	// Author, if not nil, tells clients what is for an author's eyes only.
	Author *Author
}

// Public is the listener plugins are reached through. Methods are safe for
// concurrent use.
type Public struct {
	edge      *wire.Edge
	cfg       Config
	log       *slog.Logger
	exchanges sync.Pool
	room      *limit.Budget // for bodies
	sends     *limit.Budget // for replies

	renewals *trigger.Work // of kept answers

	processors int64 // that run Go's code

	dates dates

	scheme  string // of requests, as they arrive
	trusted atomic.Pointer[wire.Networks]
}

// New returns a Public that does not listen yet. Serve and Close it.
func New(cfg Config) *Public {
	p := &Public{
		cfg: cfg, log: wire.OrDiscard(cfg.Log), processors: int64(runtime.GOMAXPROCS(0)),
		scheme: "http",
	}
	p.trusted.Store((*wire.Networks)(&cfg.TrustedProxies))
	if cfg.Certificate != nil {
		p.scheme = "https"
	}
	p.room = cmp.Or(cfg.Bodies, limit.NewBudget(256<<20))
	p.sends = cmp.Or(cfg.Replies, limit.NewBudget(256<<20))
	p.exchanges.New = func() any { return &exchange{body: wire.NewBody(p.room)} }
	p.renewals = trigger.NewWork("answers that were made anew ran longer than the server waits for them")
	p.edge = wire.NewEdge("public", cfg.Conns, p.log, cfg.Access, false, p.unreadable)
	if cfg.Cache != nil && cfg.Author == nil {
		p.edge.Shortcut = p.shortcut
	}
	p.bind()
	return p
}

// Serve serves ln until Close, and closes it. Call it once. It returns nil
// after Close; an error has the code Unavailable: ln failed.
func (p *Public) Serve(ln net.Listener) error {
	if p.cfg.Certificate != nil {
		ln = p.cfg.Certificate.Listen(ln)
	}
	return p.edge.Serve(ln)
}

// Limit changes how many connections are taken from now on, and which proxies are
// believed.
func (p *Public) Limit(most, perAddress int, proxies wire.Networks) {
	p.trusted.Store(&proxies)
	p.edge.Limit(most, perAddress, proxies)
}

// Open is the number of connections that are open.
func (p *Public) Open() int64 { return p.edge.Open() }

// Drain makes /readyz fail while everything else goes on.
func (p *Public) Drain() { p.edge.Drain() }

// Close ends every connection after its next answer, or after a moment without a
// request, takes no more, and waits for the requests that run. When ctx ends first
// it cuts them off and returns a Deadline fault; what they had sealed is still
// committed.
func (p *Public) Close(ctx context.Context) error {
	defer p.cfg.Cache.Close()
	return cmp.Or(p.edge.Close(ctx), p.renewals.Close(ctx))
}

// Cached returns what there is of kept answers, by plugin.
func (p *Public) Cached() []cache.Of { return p.cfg.Cache.Plugins() }

// serveRequest answers one request.
func (p *Public) serveRequest(ctx *fasthttp.RequestCtx) {
	c := p.begin()
	defer p.end(ctx, c)
	if r := p.admit(ctx, c); r != nil {
		p.refuse(ctx, c, r)
		return
	}
	if c.upload.found != nil {
		p.serveUpload(ctx, c)
		return
	}
	if c.match.Deployment == nil {
		return // answered without a handler
	}
	if c.upload.begins {
		p.invoke(ctx, c)
		return
	}
	if r := c.readBody(ctx, p.cfg.Spool); r != nil {
		p.refuse(ctx, c, r)
		return
	}
	if p.asksLive(c) {
		p.serveLive(ctx, c)
		return
	}
	if c.match.Socket != nil {
		if r := p.beginSocket(c); r != nil {
			p.refuse(ctx, c, r)
			return
		}
	}
	if p.asksCache(c) && p.serveKept(ctx, c) {
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
		return r.Status
	}
	c.continues = true
	ctx.Response.Reset()
	return http.StatusContinue
}

// admit decides everything that can be decided from the head: it finds the
// route and its limits, or answers.
func (p *Public) admit(ctx *fasthttp.RequestCtx, c *exchange) *wire.Refusal {
	h := &ctx.Request.Header
	p.read(c, h.Method(), h.RequestURI(), h.RawHeaders(), ctx.RemoteAddr())
	if c.path == "*" { // the gate lets it through with OPTIONS only
		c.answerOptions(ctx, everyMethod)
		return nil
	}
	slashes, r := wire.CheckPath(c.path)
	if r != nil {
		return r
	}
	if c.method == http.MethodTrace { // a guest that answers it would show a page what the browser keeps from it
		return refuseTrace
	}
	if c.path == wire.PathLive || c.path == wire.PathReady {
		return c.probed()
	}
	if p.preflight(ctx, c) || p.asksTus(ctx, c) {
		return nil
	}
	if c.upload.found = p.findUpload(c); c.upload.found != nil {
		return p.judgePart(ctx, c)
	}
	c.match = p.cfg.Routes.Route(c.method, c.routeHost, c.path, c.params[:0], c)
	if slashes && !c.match.EncodedSlashes {
		return wire.RefuseSlash
	}
	if c.match.Deployment == nil {
		return p.unrouted(ctx, c)
	}
	switch {
	case c.match.Socket != nil:
		return p.judgeSocket(ctx, c)
	case c.match.Upload != nil && tus.IsSpoken(c.headers):
		return p.judgeBegin(ctx, c)
	}
	if r := wire.AdmitBody(ctx, p.cfg.Spool, c.match.Deployment.Env().Plugin, c.match.Limits.RequestBody); r != nil {
		return r
	}
	return c.findKey()
}

// invoke runs the handler and turns its reply into the response.
func (p *Public) invoke(ctx *fasthttp.RequestCtx, c *exchange) {
	if err := c.fillRequest(); err != nil {
		c.err = fmt.Errorf("the file of a request's body cannot be read: %w", err)
		p.refuse(ctx, c, refuseReread)
		return
	}
	c.client = p.edge.ClientOf(ctx)
	c.request.Client, c.request.Sender = &c.client, c
	c.handled = true
	c.err = p.cfg.Handler.Handle(p.edge.Context(), c.match.Target, &c.inv, &c.record)
	p.yield()
	if c.err != nil {
		p.fail(ctx, c)
		return
	}
	if c.opening != nil && c.inv.Reply.Status == http.StatusOK {
		p.takeSocket(ctx, c)
		return
	}
	if c.upload.begins {
		p.beginUpload(ctx, c)
		return
	}
	if c.fill != nil {
		p.keepReply(ctx, c)
		return
	}
	p.writeReply(ctx, c)
}

// Vitals tells how the listener does.
func (p *Public) Vitals() vitals.Listener { return p.edge.Vitals() }

// Budgets calls yield with each kind of memory and disk that requests share.
func (p *Public) Budgets(yield func(name string, of *limit.Budget)) {
	yield("body", p.room)
	yield("reply", p.sends)
	if p.cfg.Spool != nil {
		yield("body_disk", p.cfg.Spool.Room())
	}
}

// yield lets other connections have their turn (BenchmarkTurns). A client that
// asks again as soon as it has an answer would otherwise be served again and
// again while others wait. Where there is a processor for each connection nobody
// waits, and a yield would only wake a thread for nothing.
func (p *Public) yield() {
	if p.edge.Open() > p.processors {
		runtime.Gosched()
	}
}

// begin takes an exchange from the pool.
func (p *Public) begin() *exchange {
	c := p.exchanges.Get().(*exchange)
	c.start = time.Now()
	return c
}

// end settles an exchange, whatever happened to it: a panic in the host is answered,
// logged and goes no further.
func (p *Public) end(ctx *fasthttp.RequestCtx, c *exchange) {
	if reason := recover(); reason != nil {
		p.panicked(ctx, c, reason)
	}
	if c.opening != nil {
		c.opening.Refuse()
	}
	c.fill.End()
	if !c.continues {
		p.cfg.Author.explain(ctx, c)
		p.tellTimes(ctx, c)
		p.sayTus(ctx, c)
		c.addCORS(ctx)
		c.setCookie(ctx)
		c.hidePreview(ctx)
		p.report(c, ctx.Response.StatusCode(), wire.BodySize(&ctx.Response))
	}
	p.settle(c)
}

// settle lets go of what an exchange has, and puts it into the pool.
func (p *Public) settle(c *exchange) {
	if c.match.Deployment != nil && !c.handled {
		c.match.Deployment.Release()
	}
	c.reset()
	p.exchanges.Put(c)
}
