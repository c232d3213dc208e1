package public

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/abi/field"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// corsPrefix starts the names of all response fields of CORS. Where a policy is
// set they are the host's.
const corsPrefix = "access-control-"

const simpleMethods = "GET, HEAD, POST"

// preflight answers a browser that asks whether a page may send a request,
// where the operator set a policy for the path. Elsewhere OPTIONS is a method
// like any other. The method it asks about finds the plugin.
func (p *Public) preflight(ctx *fasthttp.RequestCtx, c *exchange) bool {
	origin, method := field.Single(c.headers, "origin"), field.Single(c.headers, "access-control-request-method")
	if c.method != http.MethodOptions || origin == "" || method == "" {
		return false
	}
	m := p.cfg.Routes.Route(method, c.routeHost, c.path, c.params[:0], c)
	if m.Deployment != nil {
		m.Deployment.Release()
	}
	if m.CORS == nil {
		return false
	}
	ctx.Response.SetStatusCode(http.StatusNoContent)
	c.setID(ctx)
	h := &ctx.Response.Header
	h.Set("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers")
	if !allowOrigin(h, m.CORS, origin) {
		return true
	}
	// The whole policy, whatever was asked: the browser judges.
	h.Set("Access-Control-Allow-Methods", cmp.Or(strings.Join(m.CORS.Methods, ", "), simpleMethods))
	if len(m.CORS.Headers) > 0 {
		h.Set("Access-Control-Allow-Headers", strings.Join(m.CORS.Headers, ", "))
	}
	if m.CORS.MaxAge > 0 {
		h.Set("Access-Control-Max-Age", strconv.Itoa(m.CORS.MaxAge))
	}
	return true
}

// addCORS puts the policy of whoever answered on the response, a problem too.
func (c *exchange) addCORS(ctx *fasthttp.RequestCtx) {
	policy := c.match.CORS
	if policy == nil {
		return
	}
	h := &ctx.Response.Header
	if !policy.Everyone() {
		h.Add("Vary", "Origin")
	}
	if allowOrigin(h, policy, field.Single(c.headers, "origin")) && len(policy.Expose) > 0 {
		h.Set("Access-Control-Expose-Headers", strings.Join(policy.Expose, ", "))
	}
}

// allowOrigin says whether a page of the origin may read the response, and
// tells the browser so.
func allowOrigin(h *fasthttp.ResponseHeader, policy *plugin.CORS, origin string) bool {
	switch {
	case policy.Everyone():
		h.Set("Access-Control-Allow-Origin", "*")
		return true
	case origin == "" || !policy.Allows(origin):
		return false
	}
	h.Set("Access-Control-Allow-Origin", origin)
	if policy.Credentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	return true
}
