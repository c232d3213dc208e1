// Package wire speaks HTTP for both listeners and knows nothing of plugins or of
// the admin API: it accepts connections, judges what arrives before fasthttp reads
// it, bounds bodies, answers probes, and renders what every response of the host
// has in common. Only server/public and server/admin import it, and package host
// for its configuration.
package wire

import (
	"cmp"
	"context"
	"log/slog"
	"math"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/server/accept"
	"github.com/wasmoor/wasmoor/host/internal/server/crowd"
	"github.com/wasmoor/wasmoor/host/internal/server/presence"
	"github.com/wasmoor/wasmoor/host/internal/server/vitals"
)

// Conns bounds the connections of a listener. A zero field takes its default.
type Conns struct {
	// HeaderTimeout is how long a request's line and header may take to arrive,
	// from the first byte on; a new connection has as long to send one. Default 5 s.
	HeaderTimeout time.Duration
	// BodyTimeout is how long the body may take after that, and where it goes to a file
	// each MiB of it. Default 30 s.
	BodyTimeout time.Duration
	// WriteTimeout is how long a client may take to accept a response, or each MiB of one
	// that is a blob. Default 30 s.
	WriteTimeout time.Duration
	// IdleTimeout is how long a connection is kept between requests. Default 60 s.
	IdleTimeout time.Duration
	// Max is the number of connections open at a time; one more is answered 503
	// and closed. Each holds about 40 KB, idle or not. Default 10000.
	Max int
	// PerAddress is the number of connections open at a time from one address of
	// IPv4 or one /64 of IPv6; one more is answered 429 and closed. 0 = no limit.
	PerAddress int
	// Exempt are networks to which PerAddress does not apply: proxies, which have
	// the connections of many.
	Exempt Networks
}

func (c Conns) withDefaults() Conns {
	c.HeaderTimeout = cmp.Or(c.HeaderTimeout, 5*time.Second)
	c.BodyTimeout = cmp.Or(c.BodyTimeout, 30*time.Second)
	c.WriteTimeout = cmp.Or(c.WriteTimeout, 30*time.Second)
	c.IdleTimeout = cmp.Or(c.IdleTimeout, 60*time.Second)
	c.Max = cmp.Or(c.Max, 10_000)
	return c
}

// OrDiscard returns log, or one that drops everything for nil.
func OrDiscard(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return log
}

// Edge is what the two listeners have in common: a Fiber app that reads through a
// gate, and its end. Routes are bound before Serve; the methods are safe for
// concurrent use.
type Edge struct {
	App *fiber.App
	// Shortcut, if not nil, is asked before a request goes through the App.
	Shortcut Shortcut
	// Refusals counts what the gate refuses, and what the owner of the edge adds.
	Refusals vitals.Refusals

	name   string // for messages
	conns  Conns
	log    *slog.Logger
	access AccessLog
	ctx    context.Context
	cancel context.CancelFunc
	ends   context.Context // when Close begins
	end    context.CancelFunc

	clients  presence.Watcher
	draining atomic.Bool  // /readyz fails
	ending   atomic.Bool  // answers end their connections
	open     atomic.Int64 // connections
	mu       sync.Mutex
	gate     *gate         // nil until Serve
	done     chan struct{} // closed when Serve has returned
}

// NewEdge makes a Fiber app in which nothing is left to a default that differs
// between versions of Fiber or fasthttp. Where it is immutable, strings from
// Fiber are copies that may be kept.
func NewEdge(name string, conns Conns, log *slog.Logger, access AccessLog, immutable bool, onError fiber.ErrorHandler) *Edge {
	conns = conns.withDefaults()
	e := &Edge{name: name, conns: conns, log: log, access: access, done: make(chan struct{})}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.ends, e.end = context.WithCancel(e.ctx)
	e.App = fiber.New(fiber.Config{
		CaseSensitive:         true,
		StrictRouting:         true,
		DisableStartupMessage: true,
		Immutable:             immutable,
		ErrorHandler:          onError,
		ReadTimeout:           conns.HeaderTimeout, // HeaderReceived extends it for a body
		WriteTimeout:          conns.WriteTimeout,
		IdleTimeout:           conns.IdleTimeout,
		Concurrency:           math.MaxInt32, // the gate counts
		ReadBufferSize:        limit.RequestHead,
		// The body is streamed so that a route's limit is known before it is
		// read. fasthttp reads the first bytes of a body before the handler
		// runs, up to BodyLimit: 1 is the least it takes.
		StreamRequestBody:            true,
		BodyLimit:                    1,
		DisablePreParseMultipartForm: true, // it would write files
	})
	server := e.App.Server()
	// A goroutine of fasthttp's sleeps this long between looks at whether the
	// server has ended, so this is how long after Close it may still be there.
	server.MaxIdleWorkerDuration = 200 * time.Millisecond
	server.HeaderReceived = e.extendForBody
	server.KeepHijackedConns = true // TakeOver closes them
	return e
}

// ServeOtherMethods hands requests of methods Fiber has no table for to serve.
// Fiber answers them with a text of its own. Call it when every route is bound.
func (e *Edge) ServeOtherMethods(serve func(*fasthttp.RequestCtx)) {
	server := e.App.Server()
	viaFiber := server.Handler
	server.Handler = func(ctx *fasthttp.RequestCtx) {
		if fiberKnows(ctx.Method()) {
			viaFiber(ctx)
			return
		}
		serve(ctx)
	}
}

func fiberKnows(method []byte) bool {
	switch string(method) {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut,
		http.MethodDelete, http.MethodPatch, http.MethodOptions:
		return true
	}
	return false
}

// extendForBody gives a request with a body the time to send it.
func (e *Edge) extendForBody(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
	if n := h.ContentLength(); n > 0 || n == chunkedLength {
		return fasthttp.RequestConfig{ReadTimeout: e.conns.BodyTimeout}
	}
	return fasthttp.RequestConfig{}
}

// chunkedLength is what fasthttp says of a chunked body.
const chunkedLength = -1

// Context spans every request. It ends when Close has waited long enough.
func (e *Edge) Context() context.Context { return e.ctx }

// Ending ends when Close begins: an answer that has no end of its own ends then.
func (e *Edge) Ending() context.Context { return e.ends }

// WriteTimeout is how long a client may take to accept a response, or a part of one
// that has no end.
func (e *Edge) WriteTimeout() time.Duration { return e.conns.WriteTimeout }

// Open is the number of connections that are open.
func (e *Edge) Open() int64 { return e.open.Load() }

// Vitals tells how the listener does.
func (e *Edge) Vitals() vitals.Listener {
	e.mu.Lock()
	defer e.mu.Unlock()
	return vitals.Listener{Open: e.open.Load(), Max: int64(e.conns.Max), Refusals: &e.Refusals}
}

func (e *Edge) refused(remote net.Addr, r *Refusal, id string) {
	e.Refusals.Count(r.Status)
	e.access.refused(remote, r, id)
}

// Limit changes how many connections are taken from now on. Those that are open stay,
// and count: for their address, if they did when they came.
func (e *Edge) Limit(most, perAddress int, exempt Networks) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.conns.Max, e.conns.PerAddress, e.conns.Exempt = most, perAddress, exempt
	if g := e.gate; g != nil {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.max, g.crowd.Max, g.crowd.Exempt = int64(most), perAddress, exempt.Contain
	}
}

// Drain makes /readyz fail while everything else goes on.
func (e *Edge) Drain() { e.draining.Store(true) }

// Draining reports whether /readyz fails.
func (e *Edge) Draining() bool { return e.draining.Load() }

// Serve serves ln until Close, and closes it. Call it once. It returns nil after
// Close; an error has the code Unavailable: ln failed.
func (e *Edge) Serve(ln net.Listener) error {
	e.mu.Lock()
	g := &gate{
		Listener:     accept.On(ln, logAccept(e.log, e.name)),
		headTimeout:  e.conns.HeaderTimeout,
		bodyTimeout:  e.conns.BodyTimeout,
		writeTimeout: e.conns.WriteTimeout,
		idleTimeout:  e.conns.IdleTimeout,
		shortcut:     e.Shortcut,
		ending:       &e.ending,
		max:          int64(e.conns.Max),
		crowd:        crowd.Crowd{Max: e.conns.PerAddress, Exempt: e.conns.Exempt.Contain},
		refused:      e.refused,
		open:         &e.open,
		conns:        map[*gateConn]struct{}{},
	}
	if e.gate != nil {
		e.mu.Unlock()
		return fault.New(fault.Internal, "serve", e.name+" listener: Serve was called twice")
	}
	e.gate = g
	e.mu.Unlock()
	defer close(e.done)
	server := e.App.Server()
	server.Handler = e.closing(server.Handler)
	if e.ending.Load() {
		_ = ln.Close() // unless Close has
		return nil
	}
	if err := e.App.Listener(g); err != nil {
		return fault.Wrap(fault.Unavailable, "serve", e.name+" listener", err)
	}
	return nil
}

// Close ends the edge for as long as ctx lasts: every answer is the last on its
// connection, connections without a request and requests that arrive have a
// moment, then no new connections are taken, and the requests that run end. What
// still runs when ctx ends is cut off, and the error has the code Deadline. It may
// be called again, with less patience.
func (e *Edge) Close(ctx context.Context) error {
	e.ending.Store(true)
	e.end()
	e.mu.Lock()
	g := e.gate
	e.mu.Unlock()
	if g == nil {
		e.cancel()
		return nil
	}
	cut := make(chan struct{})
	inTime := context.AfterFunc(ctx, func() {
		defer close(cut)
		e.cancel()
		g.closeAll()
	})
	g.settle(ctx)
	err := e.App.Server().ShutdownWithContext(ctx)
	<-e.done
	if !inTime() {
		<-cut
		return fault.Wrap(fault.Deadline, "close", e.name+" listener: connections were cut off, requests perhaps among them", err)
	}
	e.cancel()
	return nil
}
