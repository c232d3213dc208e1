package public

import (
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/field"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/server/wire"
)

// Hash returns a number that stands for the client as k knows it, so that a roll-out
// gives it the same version each time: by a header, by the host's cookie, or by the
// address of its connection or of what a trusted proxy says.
func (c *exchange) Hash(k plugin.ClientKey) uint64 {
	if name := k.Header(); name != "" {
		for _, h := range c.headers {
			if h.Name == name {
				return hashOf(h.Value)
			}
		}
	}
	if k == plugin.ByCookie {
		return hashOf(c.cookieID())
	}
	return hashOf(c.remote)
}

// The cookie by which a roll-out knows a client, where its key is "cookie". It says
// nothing but which draw the client has.
const cookieName = field.RolloutCookie

// cookieID returns the value of the client's cookie, or of a new one that the answer
// sets. Whoever sends one of another form gets a new one too.
func (c *exchange) cookieID() string {
	if c.newCookie != "" {
		return c.newCookie
	}
	if value := cookieOf(c.headers); value != "" {
		return value
	}
	c.newCookie = wire.NewRequestID()
	return c.newCookie
}

// cookieOf returns the value of the cookie, "" = the client has none of its form.
func cookieOf(headers []abi.Pair) string {
	for _, h := range headers {
		if h.Name != "cookie" {
			continue
		}
		for part := range strings.SplitSeq(h.Value, ";") {
			name, value, _ := strings.Cut(strings.Trim(part, " "), "=")
			if name == cookieName && len(value) == cookieLength {
				return value
			}
		}
	}
	return ""
}

const cookieLength = 26

// hidePreview keeps the address of a preview, which is all that protects it, from
// other sites and from search engines.
func (c *exchange) hidePreview(ctx *fasthttp.RequestCtx) {
	if !c.match.Preview {
		return
	}
	h := &ctx.Response.Header
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Robots-Tag", "noindex")
	h.Set("Cache-Control", "private, no-store")
}

// setCookie has the client keep the cookie that cookieID made for it, for as long as
// its session. Not even a cache may keep the answer for others then.
func (c *exchange) setCookie(ctx *fasthttp.RequestCtx) {
	if c.newCookie == "" {
		return
	}
	cookie := cookieName + "=" + c.newCookie + "; Path=/; HttpOnly; SameSite=Lax"
	if c.scheme == "https" {
		cookie += "; Secure"
	}
	h := &ctx.Response.Header
	h.Add("Set-Cookie", cookie)
	h.Set("Cache-Control", "private, no-store")
}

// hashOf is FNV-1a.
func hashOf(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}
