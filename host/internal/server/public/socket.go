package public

import (
	"errors"
	"net/http"
	"net/netip"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/field"
	"github.com/wasmoor/wasmoor/host/internal/capability/socket"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/server/stream"
	"github.com/wasmoor/wasmoor/host/internal/server/wire"
	"github.com/wasmoor/wasmoor/host/internal/socket/hub"
)

// Socket is what a manifest says of the socket that a request opens.
type Socket struct {
	*socket.Declared
	Kept   socket.Kept
	Params []abi.Pair // path values of the pattern
}

var (
	refusePreview = wire.Refusing(http.StatusNotImplemented, fault.Invalid, "a preview opens no sockets")
	refuseOrigin  = wire.Refusing(http.StatusForbidden, fault.Denied, "pages of this origin may not open the socket; the manifest of the service lists those that may (origins)")
	refuseFilled  = wire.Bad("the request that opens a socket has no body")
	refuseSockets = wire.Refusing(http.StatusServiceUnavailable, fault.Unavailable, "sockets are not served here")
)

// judgeSocket refuses a request that cannot open a socket.
func (p *Public) judgeSocket(ctx *fasthttp.RequestCtx, c *exchange) *wire.Refusal {
	h := handshake(ctx, c)
	kind, err := h.Judge()
	switch {
	case c.match.Preview || c.match.Dropped:
		return refusePreview
	case p.cfg.Sockets == nil:
		return refuseSockets
	case errors.Is(err, stream.ErrShake):
		return wire.Bad(fault.MessageOf(err))
	case err != nil:
		return wire.Refusing(http.StatusUpgradeRequired, fault.Invalid, fault.MessageOf(err))
	case ctx.Request.Header.ContentLength() > 0 || ctx.Request.Header.ContentLength() == -1:
		return refuseFilled
	case !c.match.Socket.Allows(originOf(c.headers), c.scheme+"://"+c.host):
		return refuseOrigin
	}
	c.kind = kind
	return nil
}

// originOf returns the origin of the page that asks, "" where no page does. Of several
// none is believed.
func originOf(headers []abi.Pair) (origin string) {
	for _, h := range headers {
		if h.Name == "origin" {
			origin += h.Value
		}
	}
	return origin
}

func handshake(ctx *fasthttp.RequestCtx, c *exchange) *stream.Handshake {
	h := &ctx.Request.Header
	return &stream.Handshake{
		Method: c.method, HTTP11: h.IsHTTP11(),
		Upgrade: string(h.Peek("Upgrade")), Connection: string(h.Peek("Connection")), Accept: field.Single(c.headers, "accept"),
		Version: field.Single(c.headers, "sec-websocket-version"), Key: field.Single(c.headers, "sec-websocket-key"),
		Protocols: field.Single(c.headers, "sec-websocket-protocol"),
	}
}

// beginSocket takes a place for the socket, before the handler says whether there is to
// be one.
func (p *Public) beginSocket(c *exchange) *wire.Refusal {
	env := c.match.Deployment.Env()
	client, _ := netip.ParseAddr(c.remote)
	var err error
	c.opening, err = p.cfg.Sockets.Begin(&hub.Request{
		Plugin: env.Plugin, Space: env.Space, Declared: c.match.Socket.Declared, Kept: c.match.Socket.Kept, Params: owned(c.match.Socket.Params),
		Kind: c.kind, Client: client, LastEventID: field.Single(c.headers, "last-event-id"), Concurrency: env.Limits.Concurrency,
	})
	switch {
	case err == nil:
		return nil
	case stream.RefusedFor(err):
		return wire.Refusing(http.StatusTooManyRequests, fault.Unavailable, fault.MessageOf(err))
	}
	return wire.Refusing(http.StatusServiceUnavailable, fault.CodeOf(err), fault.MessageOf(err))
}

// owned copies path values, which are the exchange's.
func owned(params []abi.Pair) []abi.Pair {
	out := make([]abi.Pair, len(params))
	for i, p := range params {
		out[i] = abi.Pair{Name: strings.Clone(p.Name), Value: strings.Clone(p.Value)}
	}
	return out
}

// takeSocket makes a socket of the connection, which the handler has accepted.
func (p *Public) takeSocket(ctx *fasthttp.RequestCtx, c *exchange) {
	resp, reply, shake := &ctx.Response, &c.inv.Reply, handshake(ctx, c)
	resp.Header.DisableNormalizing()
	resp.Header.SetNoDefaultContentType(true)
	for _, h := range reply.Headers {
		if !c.hostSets(h.Name) && !ofSocket(h.Name) {
			resp.Header.Add(h.Name, h.Value)
		}
	}
	c.setID(ctx)
	if c.kind == stream.WebSocket {
		resp.SetStatusCode(http.StatusSwitchingProtocols)
		resp.Header.Set("Upgrade", "websocket")
		resp.Header.Set("Connection", "Upgrade")
		resp.Header.Set("Sec-WebSocket-Accept", shake.AcceptKey())
		if protocol := hub.Header(reply, "sec-websocket-protocol"); shake.Offers(protocol) {
			resp.Header.Set("Sec-WebSocket-Protocol", protocol)
		}
	} else {
		resp.SetStatusCode(http.StatusOK)
		resp.Header.SetContentType("text/event-stream")
		resp.Header.Set("Cache-Control", "no-store")
		resp.Header.Set("X-Accel-Buffering", "no")
		resp.Header.Set("Connection", "close") // that is where it ends
	}
	opening := c.opening
	c.opening = nil
	opening.Accept(reply)
	p.edge.TakeOver(ctx, opening.Take)
}

// ofSocket reports whether a field of an answer is the host's to set where that opens a
// socket.
func ofSocket(name string) bool {
	name = strings.ToLower(name)
	switch name {
	case "content-type", "content-length", "content-encoding", "cache-control", "connection", "upgrade", "x-accel-buffering":
		return true
	}
	return strings.HasPrefix(name, "sec-websocket-")
}
