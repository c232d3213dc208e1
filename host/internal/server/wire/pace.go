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
