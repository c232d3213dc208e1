package wire

import (
	"bytes"
	"net"
	"net/netip"
	"slices"
)

// Networks are those whose word about a request is taken.
type Networks []netip.Prefix

// Contain reports whether an address is of one of the networks.
func (n Networks) Contain(addr netip.Addr) bool {
	return slices.ContainsFunc(n, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// AppendIP appends the client's address without its port.
func AppendIP(b []byte, addr net.Addr) []byte {
	ip, _ := AddrOf(addr)
	return ip.AppendTo(b) // nothing of no address
}

// AppendRouteHost appends the host without its port, in lower case and without
// the dot of a fully qualified name: what mounts are compared with.
func AppendRouteHost(b, host []byte) []byte {
	name, _ := splitPort(host)
	name = bytes.TrimSuffix(name, []byte{'.'})
	for _, c := range name {
		b = append(b, LowerByte(c))
	}
	return b
}

// AddrOf returns the one form of a peer's address: no IPv4 within IPv6, and no
// zone, which only this machine could use. Who connects to a unix socket is on this
// machine.
func AddrOf(addr net.Addr) (netip.Addr, bool) {
	if _, unix := addr.(*net.UnixAddr); unix {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1}), true
	}
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}, false
	}
	return tcp.AddrPort().Addr().Unmap().WithZone(""), true
}
