package public

import (
	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/host/internal/server/wire"
)

// readForwarded makes the request what it was before it passed the proxies in
// front, if those are trusted.
func (p *Public) readForwarded(ctx *fasthttp.RequestCtx, c *exchange) {
	c.scheme = p.scheme
	headers, f := wire.TakeForwarded(c.headers)
	c.headers = headers
	origin := p.trusted.Load().Origin(ctx.RemoteAddr(), f)
	if origin.Client.IsValid() {
		c.remote = origin.Client.String()
	}
	if origin.Scheme != "" {
		c.scheme = origin.Scheme
	}
	if origin.Host != "" {
		c.setHost(origin.Host)
	}
}

// setHost makes host the one the client asked for.
func (c *exchange) setHost(host string) {
	c.host, c.routeHost = host, string(wire.AppendRouteHost(nil, []byte(host)))
	for i := range c.headers {
		if c.headers[i].Name == "host" {
			c.headers[i].Value = host
		}
	}
}
