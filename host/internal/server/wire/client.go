package wire

import (
	"context"
	"crypto/tls"
	"net"

	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/host/internal/server/presence"
)

// Client is whoever waits for the answer of one request, until that is written. It
// implements invoke.Client.
type Client struct {
	watcher *presence.Watcher
	conn    net.Conn // of the system
	onEnd   presence.End
}

// ClientOf returns the client of a request that has been read whole.
func (e *Edge) ClientOf(ctx *fasthttp.RequestCtx) Client {
	client := Client{watcher: &e.clients, conn: ctx.Conn()}
	if ctx.Request.Header.IsHTTP11() {
		client.onEnd = presence.Probed
	}
	if c, ok := client.conn.(*gateConn); ok {
		client.conn = c.Conn
	}
	if t, ok := client.conn.(*tls.Conn); ok { // TLS has an end of its own, and what is written would have to be encrypted
		client.conn, client.onEnd = t.NetConn(), presence.Leaves
	}
	return client
}

// Attended returns a context that ends with ctx, or once the client of a request has left.
// done has to be called before the answer is written.
func (e *Edge) Attended(ctx context.Context, of *fasthttp.RequestCtx) (attended context.Context, done func()) {
	attended, cancel := context.WithCancel(ctx)
	client := e.ClientOf(of)
	stop := client.Watch(cancel)
	return attended, func() {
		stop()
		cancel()
	}
}

// Watch implements invoke.Client. stop has to be called before the answer is
// written.
func (c *Client) Watch(left func()) (stop func()) {
	return c.watcher.Watch(c.conn, c.onEnd, left)
}
