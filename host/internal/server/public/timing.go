package public

import (
	"strconv"
	"time"

	"github.com/valyala/fasthttp"
)

// headerTiming is that of W3C Server Timing, which browsers show next to a request.
const headerTiming = "Server-Timing"

// tellTimes says where the time of a request went that a plugin handled, next to what
// the guest says of its own.
func (p *Public) tellTimes(ctx *fasthttp.RequestCtx, c *exchange) {
	if p.cfg.ServerTiming && c.handled {
		ctx.Response.Header.Add(headerTiming, string(c.times()))
	}
}

// times lists the parts of a request's time, in milliseconds. "out" is a part of "run".
func (c *exchange) times() []byte {
	r := &c.record
	b := make([]byte, 0, 96)
	for _, part := range []struct {
		name string
		took time.Duration
	}{{"queue", r.Wait}, {"wake", r.Wake}, {"run", r.Run}, {"out", r.Out}, {"commit", r.Commit}} {
		if len(b) > 0 {
			b = append(b, ", "...)
		}
		b = append(append(b, part.name...), ";dur="...)
		b = strconv.AppendFloat(b, float64(part.took.Microseconds())/1000, 'f', 3, 64)
	}
	return b
}
