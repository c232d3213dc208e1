package public

import (
	"net/http"
	"strconv"

	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/abi"
	capupload "github.com/wasmoor/wasmoor/host/internal/capability/upload"
	"github.com/wasmoor/wasmoor/host/internal/server/tus"
	"github.com/wasmoor/wasmoor/host/internal/upload"
)

// tell says where an upload stands, in addition to what is said already.
func tell(ctx *fasthttp.RequestCtx, u *upload.Upload, more ...abi.Pair) {
	h := &ctx.Response.Header
	h.Set(tus.Offset, strconv.FormatInt(u.Durable(), 10))
	h.Set(tus.Expires, u.Expires.UTC().Format(http.TimeFormat))
	for _, f := range more {
		if f.Value != "" {
			h.Set(f.Name, f.Value)
		}
	}
}

// sayTus adds what tus demands of each answer to its clients: of those about uploads, and of
// those that no plugin gave.
func (p *Public) sayTus(ctx *fasthttp.RequestCtx, c *exchange) {
	about := c.upload.found != nil || c.match.Upload != nil || c.match.Deployment == nil
	if p.cfg.Uploads == nil || !about || !tus.IsSpoken(c.headers) {
		return
	}
	h := &ctx.Response.Header
	h.Set(tus.Resumable, tus.Version)
	if ctx.Response.StatusCode() == http.StatusPreconditionFailed {
		h.Set(tus.Versions, tus.Version)
	}
}

// answerTus answers OPTIONS where uploads are asked for.
func (c *exchange) answerTus(ctx *fasthttp.RequestCtx, d *capupload.Declared) {
	ctx.Response.SetStatusCode(http.StatusNoContent)
	c.setID(ctx)
	h := &ctx.Response.Header
	h.Set(tus.Resumable, tus.Version)
	h.Set(tus.Versions, tus.Version)
	h.Set(tus.ExtensionsOf, tus.Extensions)
	h.Set(tus.MaxSize, strconv.FormatInt(d.Max, 10))
}

// asksTus reports whether a request asks what uploads there may be, and answers it.
func (p *Public) asksTus(ctx *fasthttp.RequestCtx, c *exchange) bool {
	if c.method != http.MethodOptions || p.cfg.Uploads == nil {
		return false
	}
	m := p.cfg.Routes.Route(http.MethodPost, c.routeHost, c.path, c.params[:0], c)
	if m.Deployment != nil {
		defer m.Deployment.Release()
	}
	if m.Upload == nil {
		return false
	}
	c.match.CORS = m.CORS
	c.answerTus(ctx, m.Upload)
	return true
}
