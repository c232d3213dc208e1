package wire

import (
	"net"

	"github.com/valyala/fasthttp"
)

// TakeOver has take get the connection once the request's handler has returned, with
// what the client has sent since, and the head of the answer, which take writes. The
// connection is take's to close from then on, and is no longer one of the edge's.
func (e *Edge) TakeOver(ctx *fasthttp.RequestCtx, take func(conn net.Conn, ahead, head []byte)) {
	c := ctx.Conn().(*gateConn) //nolint:forcetypeassert // Serve makes no other
	ctx.HijackSetNoResponse(true)
	ctx.Hijack(func(net.Conn) {
		take(c.Conn, c.stage, ctx.Response.Header.Header())
		if !c.closed.Swap(true) {
			c.gate.leave(c)
		}
	})
}
