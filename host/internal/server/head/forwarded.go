package head

import (
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/field"
	"github.com/wasmoor/wasmoor/host/internal/server/wire"
)

// forwarded is what the header says of the way a request came. Of each field
// the last value counts: it is the one the nearest proxy wrote.
type forwarded struct {
	chain       []string // X-Forwarded-For, all fields, the client first
	proto, host string
}

// origin is what trusted proxies say of a request. What they do not say is empty.
type origin struct {
	Client netip.Addr
	Scheme string // http or https
	Host   string // with its port, if it has one
}

// TakeForwarded removes the fields that tell where a request came from, and makes the head
// what it was before it passed the proxies in front, as far as trusted networks tell. The
// scheme is "" if they say none. No guest gets such a field: it would take for a fact what
// anybody may write.
func (h *Head) TakeForwarded(trusted wire.Networks, peer net.Addr) (scheme string) {
	first := slices.IndexFunc(h.Headers, func(p abi.Pair) bool { return field.IsForwarded(p.Name) })
	if first < 0 {
		return ""
	}
	o := originOf(trusted, peer, h.cutForwarded())
	if o.Client.IsValid() {
		h.Remote = o.Client.String()
	}
	if o.Host != "" {
		h.setHost(o.Host)
	}
	return o.Scheme
}

// setHost makes host the one the client asked for.
func (h *Head) setHost(host string) {
	h.Host, h.RouteHost = host, string(wire.AppendRouteHost(nil, []byte(host)))
	for i := range h.Headers {
		if h.Headers[i].Name == "host" {
			h.Headers[i].Value = host
		}
	}
}

func (h *Head) cutForwarded() (f forwarded) {
	h.Headers = slices.DeleteFunc(h.Headers, func(p abi.Pair) bool {
		switch p.Name {
		case "x-forwarded-for":
			f.chain = append(f.chain, strings.Split(p.Value, ",")...)
		case "x-forwarded-proto":
			f.proto = lastOf(p.Value)
		case "x-forwarded-host":
			f.host = lastOf(p.Value)
		default:
			return field.IsForwarded(p.Name)
		}
		return true
	})
	return f
}

func lastOf(list string) string {
	return strings.Trim(list[strings.LastIndexByte(list, ',')+1:], " \t")
}

// originOf returns what the request was before it passed the proxies in front, as
// far as peer, who sent it, is one of the networks, and those in the chain.
func originOf(n wire.Networks, peer net.Addr, f forwarded) (o origin) {
	addr, ok := wire.AddrOf(peer)
	if !ok || !n.Contain(addr) {
		return o
	}
	if client := clientOf(n, addr, f.chain); client != addr {
		o.Client = client
	}
	if proto := strings.ToLower(f.proto); proto == "http" || proto == "https" {
		o.Scheme = proto
	}
	if f.host != "" && wire.IsAuthority([]byte(f.host)) {
		o.Host = f.host
	}
	return o
}

// clientOf walks the chain from the nearest proxy on, as far as each tells of the
// one before and is trusted to.
func clientOf(n wire.Networks, peer netip.Addr, chain []string) netip.Addr {
	for n.Contain(peer) && len(chain) > 0 {
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
