package admin

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humafiber"
	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/host/internal/auth"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/server/wire"
)

// need is what an operation takes: a role, for the plugin that its path names, or
// for the whole server where it names none.
type need struct {
	role     auth.Role
	narrowed bool // for any plugin; the handler shows and does no more than May allows
}

// What an operation may take.
var (
	anyone   = need{role: auth.Nobody, narrowed: true} // who has no token yet
	viewer   = need{role: auth.Viewer}
	deployer = need{role: auth.Deployer}
	operator = need{role: auth.Operator}
	owner    = need{role: auth.Owner}
)

// ofSome is the need of an operation over plugins that its path does not name.
func (n need) ofSome() need {
	n.narrowed = true
	return n
}

// scope says for which plugins an operation takes the role.
func (n need) scope(path string) string {
	switch {
	case n.narrowed:
		return "some"
	case strings.Contains(path, "{name}"):
		return "named"
	}
	return "all"
}

// met returns nil if who may use the operation, for the plugin that is named.
func (n need) met(who auth.Identity, plugin string) error {
	if n.narrowed {
		who.Plugins, who.Team = auth.AllPlugins, "" // the handler looks at those it is about
	}
	return who.May(n.role, plugin)
}

// permit lets through the requests of those who may use an operation, before
// anything of the request is read but its head.
func permit(n need) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		if err := n.met(auth.From(ctx.Context()), ctx.Param("name")); err != nil {
			deny(humafiber.Unwrap(ctx).Context(), err, exchangeOf(ctx.Context()).id)
			return
		}
		next(ctx)
	}
}

func deny(ctx *fasthttp.RequestCtx, err error, id string) {
	code := fault.CodeOf(err)
	r := wire.Refusing(wire.StatusOf(code), code, fault.MessageOf(err))
	r.Problem(id).Write(ctx)
	r.Finish(ctx)
}

// by is who the audit names.
func by(ctx context.Context) string { return auth.From(ctx).Name }

// visible returns the items of plugins that the asker may see.
func visible[T any](ctx context.Context, items []T, plugin func(T) string) []T {
	who, seen := auth.From(ctx), make([]T, 0, len(items))
	for _, item := range items {
		if who.May(auth.Viewer, plugin(item)) == nil {
			seen = append(seen, item)
		}
	}
	return seen
}

// identify finds out who sends a request.
func (a *Admin) identify(ctx *fasthttp.RequestCtx) (auth.Identity, *wire.Refusal) {
	h := &ctx.Request.Header
	if len(h.PeekAll("Authorization")) > 1 {
		return auth.Identity{}, refuseTokens
	}
	who, err := a.cfg.Token.Identify(string(h.Peek("Authorization")), addressOf(ctx.RemoteAddr()))
	if err != nil {
		code := fault.CodeOf(err)
		status := wire.StatusOf(code)
		if code == fault.Exhausted {
			status = http.StatusTooManyRequests
		}
		return auth.Identity{}, wire.Refusing(status, code, detailOf(code, err))
	}
	return who, nil
}

// addressOf returns a client's address; the zero Addr where there is none, as of a
// unix socket.
func addressOf(addr net.Addr) netip.Addr {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return tcp.AddrPort().Addr().Unmap()
}

// isForeign reports whether a page of another origin sends a request. No such page
// has a token, unless its reader was made to give it one; nothing it does is what
// an operator meant.
func isForeign(h *fasthttp.RequestHeader) bool {
	if site := string(h.Peek("Sec-Fetch-Site")); site != "" {
		return site != "same-origin" && site != "none"
	}
	origin := string(h.Peek("Origin"))
	if origin == "" {
		return false
	}
	u, err := url.Parse(origin)
	return err != nil || !strings.EqualFold(u.Host, string(h.Host()))
}

var (
	refuseForeign = wire.Refusing(http.StatusForbidden, fault.Denied,
		"a page of another origin may not use the admin API")
	refuseAddress = wire.Refusing(http.StatusForbidden, fault.Denied,
		"your address is none of those that may reach this listener (admin_allow)")
)
