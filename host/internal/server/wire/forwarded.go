package wire

import (
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/field"
)

// Networks are those whose word about a request is taken.
type Networks []netip.Prefix

// Contain reports whether an address is of one of the networks.
func (n Networks) Contain(addr netip.Addr) bool {
	return slices.ContainsFunc(n, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// Forwarded is what the header says of the way a request came. Of each field
// the last value counts: it is the one the nearest proxy wrote.
type Forwarded struct {
	chain       []string // X-Forwarded-For, all fields, the client first
	proto, host string
}

// Origin is what trusted proxies say of a request. What they do not say is empty.
type Origin struct {
	Client netip.Addr
	Scheme string // http or https
	Host   string // with its port, if it has one
}

// TakeForwarded removes the fields that tell where a request came from; their
// names are in lower case. They are the host's to read, where the peer is
// trusted, and reach no guest: it would take for a fact what anybody may write.
func TakeForwarded(headers []abi.Pair) (rest []abi.Pair, f Forwarded) {
	rest = slices.DeleteFunc(headers, func(h abi.Pair) bool {
		switch h.Name {
		case "x-forwarded-for":
			f.chain = append(f.chain, strings.Split(h.Value, ",")...)
		case "x-forwarded-proto":
			f.proto = lastOf(h.Value)
		case "x-forwarded-host":
			f.host = lastOf(h.Value)
		default:
			return field.IsForwarded(h.Name)
		}
		return true
	})
	return rest, f
}

func lastOf(list string) string {
	return strings.Trim(list[strings.LastIndexByte(list, ',')+1:], " \t")
}

// Origin returns what the request was before it passed the proxies in front, as
// far as peer, who sent it, is one of the networks, and those in the chain.
func (n Networks) Origin(peer net.Addr, f Forwarded) (o Origin) {
	addr, ok := addrOf(peer)
	if !ok || !n.Contain(addr) {
		return o
	}
	if client := n.client(addr, f.chain); client != addr {
		o.Client = client
	}
	if proto := strings.ToLower(f.proto); proto == "http" || proto == "https" {
		o.Scheme = proto
	}
	if f.host != "" && isAuthority([]byte(f.host)) {
		o.Host = f.host
	}
	return o
}

// client walks the chain from the nearest proxy on, as far as each tells of the
// one before and is trusted to.
func (n Networks) client(peer netip.Addr, chain []string) netip.Addr {
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

// addrOf returns the one form of a peer's address: no IPv4 within IPv6, and no
// zone, which only this machine could use. Who connects to a unix socket is on this
// machine.
func addrOf(addr net.Addr) (netip.Addr, bool) {
	if _, unix := addr.(*net.UnixAddr); unix {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1}), true
	}
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}, false
	}
	return tcp.AddrPort().Addr().Unmap().WithZone(""), true
}
