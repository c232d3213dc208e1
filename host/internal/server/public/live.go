package public

import (
	"cmp"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/field"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/live"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/server/stream"
	"github.com/wasmoor/wasmoor/host/internal/server/wire"
)

// asksLive reports whether a client wants to be told of each change of the answer. Any
// other gets the answer of a live route like that of any route.
func (p *Public) asksLive(c *exchange) bool {
	return c.match.Live && p.cfg.Live != nil && c.method == http.MethodGet && field.AcceptsEvents(c.headers)
}

// serveLive answers with a stream of events, or with what is said in its place.
func (p *Public) serveLive(ctx *fasthttp.RequestCtx, c *exchange) {
	remote, _ := netip.ParseAddr(c.remote)
	place, err := p.cfg.Streams.Reserve("live/"+c.match.Deployment.Env().Plugin, maxStreams, remote) // apart from its sockets
	if err != nil {
		p.refuse(ctx, c, &wire.Refusal{Status: http.StatusServiceUnavailable, Code: fault.Unavailable, Detail: fault.MessageOf(err)})
		return
	}
	opened := false
	defer func() {
		if !opened {
			place.Leave()
		}
	}()
	client := p.edge.ClientOf(ctx)
	sub, reply, err := p.cfg.Live.Open(c.liveRequest(), &client)
	switch {
	case err != nil:
		c.err, c.record.Called = err, live.Called(err)
		p.fail(ctx, c)
		return
	case reply != nil:
		c.inv.Reply.Status, c.inv.Reply.Headers, c.inv.Reply.Body, c.inv.Reply.Length = reply.Status, reply.Headers, reply.Body, -1
		p.writeReply(ctx, c)
		return
	}
	opened = true
	p.startStream(ctx, c)
	p.edge.TakeOver(ctx, func(conn net.Conn, ahead, head []byte) {
		sub.Attach(place.Open(stream.Opening{Kind: stream.EventSource, Conn: conn, Ahead: ahead, Head: head, Listener: sub}))
	})
}

// maxStreams bounds the live answers of one plugin at a time.
const maxStreams = 10_000

// startStream makes the head of a stream of events.
func (p *Public) startStream(ctx *fasthttp.RequestCtx, c *exchange) {
	h := &ctx.Response.Header
	h.DisableNormalizing()
	h.SetStatusCode(http.StatusOK)
	h.SetContentType("text/event-stream")
	h.SetContentLength(-2) // it ends with the connection
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would keep events back
	c.setID(ctx)
}

// liveRequest is what a live answer needs of the request, in memory of its own.
func (c *exchange) liveRequest() *live.Request {
	r := &live.Request{
		Path: strings.Clone(c.path), RouteHost: strings.Clone(c.routeHost), Host: strings.Clone(c.host), Query: strings.Clone(c.query),
		Scheme: strings.Clone(c.scheme), Headers: c.headers,
	}
	cookie := cmp.Or(c.newCookie, cookieOf(c.headers), c.id)
	r.Prepare()
	r.Client = &caller{r.Headers, strings.Clone(c.remote), strings.Clone(cookie)}
	return r
}

// caller is the client of a request that is over.
type caller struct {
	headers        []abi.Pair
	remote, cookie string
}

// Hash implements deploy.Client.
func (c *caller) Hash(k plugin.ClientKey) uint64 {
	if name := k.Header(); name != "" {
		if value := field.Single(c.headers, name); value != "" {
			return hashOf(value)
		}
	}
	if k == plugin.ByCookie {
		return hashOf(c.cookie)
	}
	return hashOf(c.remote)
}
