package egress

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"code.dny.dev/ssrf"
)

// errForbidden is the error of a dial to an address plugins may not reach.
var errForbidden = errors.New("the address is private, local or special")

// platform holds public addresses that are local all the same: a cloud answers
// there to each of its machines about itself.
var platform = []netip.Prefix{
	netip.MustParsePrefix("168.63.129.16/32"), // Azure's WireServer
}

// guard returns a net.Dialer.Control: it judges the address a socket is about
// to connect to, after every resolution, so that a name that answers
// differently the second time changes nothing. Denied is what the IANA lists as
// special, all of IPv6 that is not global unicast, which leaves out mapped and
// translated IPv4, and platform; allow is the operator's exception.
func guard(allow []netip.Prefix) func(network, address string, _ syscall.RawConn) error {
	public := ssrf.New(ssrf.WithAnyPort(), ssrf.WithDeniedV4Prefixes(platform...))
	return func(network, address string, conn syscall.RawConn) error {
		if at, err := netip.ParseAddrPort(address); err == nil && (network == "tcp4" || network == "tcp6") {
			for _, prefix := range allow {
				if prefix.Contains(at.Addr()) {
					return nil
				}
			}
		}
		if err := public.Safe(network, address, conn); err != nil {
			return fmt.Errorf("%w: %w", errForbidden, err)
		}
		return nil
	}
}
