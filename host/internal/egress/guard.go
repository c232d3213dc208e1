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

// guard returns a net.Dialer.Control: it judges the address a socket is about
// to connect to, after every resolution, so that a name that answers
// differently the second time changes nothing. Denied is what the IANA lists as
// special, and all of IPv6 that is not global unicast, which leaves out mapped
// and translated IPv4; allow is the operator's exception.
func guard(allow []netip.Prefix) func(network, address string, _ syscall.RawConn) error {
	public := ssrf.New(ssrf.WithAnyPort())
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
