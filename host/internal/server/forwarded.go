package server

import (
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/abi"
)

// networks are those whose word about a request is taken.
type networks []netip.Prefix

func (n networks) contain(addr netip.Addr) bool {
	return slices.ContainsFunc(n, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// forwarded is what the header says of the way a request came. Of each field
// the last value counts: it is the one the nearest proxy wrote.
type forwarded struct {
	chain       []string // X-Forwarded-For, all fields, the client first
	proto, host string
}

// takeForwarded removes the fields that tell where a request came from. They
// are the host's to read, where the peer is trusted, and reach no guest: it
// would take for a fact what anybody may write.
func (c *call) takeForwarded() (f forwarded) {
	c.headers = slices.DeleteFunc(c.headers, func(h abi.Pair) bool {
		switch h.Name {
		case "x-forwarded-for":
			f.chain = append(f.chain, strings.Split(h.Value, ",")...)
		case "x-forwarded-proto":
			f.proto = lastOf(h.Value)
		case "x-forwarded-host":
			f.host = lastOf(h.Value)
		default:
			return isForwarded(h.Name)
		}
		return true
	})
	return f
}

// isForwarded reports whether a field, its name in lower case, tells where a
// request came from.
func isForwarded(name string) bool {
	return strings.HasPrefix(name, "x-forwarded-") || name == "forwarded" || name == "x-real-ip"
}

func lastOf(list string) string {
	return strings.Trim(list[strings.LastIndexByte(list, ',')+1:], " \t")
}

// readForwarded makes the request what it was before it passed the proxies in
// front, if those are trusted.
func (p *Public) readForwarded(ctx *fasthttp.RequestCtx, c *call) {
	c.scheme = p.scheme
	f := c.takeForwarded()
	peer, ok := addrOf(ctx.RemoteAddr())
	if !ok || !p.trusted.contain(peer) {
		return
	}
	if client := p.trusted.client(peer, f.chain); client != peer {
		c.remote = client.String()
	}
	if proto := strings.ToLower(f.proto); proto == "http" || proto == "https" {
		c.scheme = proto
	}
	if f.host != "" && isAuthority([]byte(f.host)) {
		c.setHost(f.host)
	}
}

// client walks the chain from the nearest proxy on, as far as each tells of the
// one before and is trusted to.
func (n networks) client(peer netip.Addr, chain []string) netip.Addr {
	for n.contain(peer) && len(chain) > 0 {
		before, ok := parseHop(strings.Trim(chain[len(chain)-1], " \t"))
		if !ok {
			return peer
		}
		peer, chain = before, chain[:len(chain)-1]
	}
	return peer
}

// parseHop reads an address as proxies write it, some with a port.
func parseHop(s string) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	if err != nil {
		withPort, err := netip.ParseAddrPort(s)
		if err != nil {
			return netip.Addr{}, false
		}
		addr = withPort.Addr()
	}
	return addr.Unmap().WithZone(""), true
}

// addrOf returns the one form of a peer's address: no IPv4 within IPv6, and no
// zone, which only this machine could use.
func addrOf(addr net.Addr) (netip.Addr, bool) {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}, false
	}
	return tcp.AddrPort().Addr().Unmap().WithZone(""), true
}

// setHost makes host the one the client asked for.
func (c *call) setHost(host string) {
	c.host, c.routeHost = host, string(appendRouteHost(nil, []byte(host)))
	for i := range c.headers {
		if c.headers[i].Name == "host" {
			c.headers[i].Value = host
		}
	}
}
