// Package address judges the addresses that sockets are about to connect to: those that
// are private, local or special are refused. Packages egress and access/issuer import it.
package address

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"code.dny.dev/ssrf"
)

// ErrForbidden is the error of a dial to an address that may not be reached.
var ErrForbidden = errors.New("the address is private, local or special")

// platform holds public addresses that are local all the same: a cloud answers
// there to each of its machines about itself.
var platform = []netip.Prefix{
	netip.MustParsePrefix("168.63.129.16/32"), // Azure's WireServer
}

// Guard returns a net.Dialer.Control: it judges the address a socket is about
// to connect to, after every resolution, so that a name that answers
// differently the second time changes nothing. Denied is what the IANA lists as
// special, all of IPv6 that is not global unicast but for NAT64's own prefix, and
// platform; allow is the operator's exception. An address that stands for one of
// IPv4 must pass as both: an exception for a translator's prefix is none for what
// lies on its other side.
func Guard(allow []netip.Prefix) func(network, address string, _ syscall.RawConn) error {
	public := ssrf.New(ssrf.WithAnyPort(), ssrf.WithDeniedV4Prefixes(platform...), ssrf.WithAllowedV6Prefixes(nat64))
	judge := func(network, address string) error {
		at, err := netip.ParseAddrPort(address)
		if err == nil && (network == "tcp4" || network == "tcp6") {
			for _, prefix := range allow {
				if prefix.Contains(at.Addr()) {
					return nil
				}
			}
		}
		return public.Safe(network, address, nil)
	}
	return func(network, address string, _ syscall.RawConn) error {
		err := judge(network, address)
		if at, bad := netip.ParseAddrPort(address); bad == nil && err == nil {
			for _, four := range embedded(at.Addr()) {
				err = errors.Join(err, judge("tcp4", netip.AddrPortFrom(four, at.Port()).String()))
			}
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrForbidden, err)
		}
		return nil
	}
}
