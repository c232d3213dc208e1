package wire

import (
	"time"

	"github.com/valyala/fasthttp"
)

// paceBytes is how much of a large body has to move within each timeout: a body of any
// size takes as long as it moves at that pace, and one that does not ends.
const paceBytes = 1 << 20

// bodyMoves gives a request as long again for the next part of its body.
func bodyMoves(ctx *fasthttp.RequestCtx) {
	if c, ok := ctx.Conn().(*gateConn); ok {
		_ = c.SetReadDeadline(time.Now().Add(c.gate.bodyTimeout)) // of a closed one the read tells
	}
}

// Interrupt returns what ends the reading of a request's body, from any goroutine.
func Interrupt(ctx *fasthttp.RequestCtx) (end func()) {
	conn := ctx.Conn()
	return func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) }
}

// EndUnread ends the connection after the answer to a request whose body is not read, if
// it has one.
func EndUnread(ctx *fasthttp.RequestCtx) {
	if n := ctx.Request.Header.ContentLength(); n > 0 || n == chunkedLength {
		endConnection(ctx)
	}
}
