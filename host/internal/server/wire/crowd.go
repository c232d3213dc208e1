package wire

import (
	"net"
	"net/http"
	"net/netip"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

var refuseAddress = Refusing(http.StatusTooManyRequests, fault.Unavailable, "too many connections are open from this address; try again")

// crowd counts connections by where they come from. Whoever uses it holds the
// gate's lock.
type crowd struct {
	max    int      // from one place; 0 = any number
	exempt Networks // which are not counted
	from   map[netip.Prefix]int
}

// placeBits is the part of an IPv6 address that a place has: less than a /64 is
// given to nobody.
const placeBits = 64

// place returns where an address is: one of IPv4, or a network of IPv6. The zero
// Prefix is not counted.
func (c *crowd) place(addr net.Addr) netip.Prefix {
	ip, ok := addrOf(addr)
	if c.max == 0 || !ok || c.exempt.contain(ip) {
		return netip.Prefix{}
	}
	bits := ip.BitLen()
	if ip.Is6() {
		bits = placeBits
	}
	place, _ := ip.Prefix(bits) // it has as many
	return place
}

// enter counts a connection from place, and reports false when it is one too many.
func (c *crowd) enter(place netip.Prefix) bool {
	if !place.IsValid() {
		return true
	}
	if c.from == nil {
		c.from = map[netip.Prefix]int{}
	}
	if c.from[place] >= c.max {
		return false
	}
	c.from[place]++
	return true
}

func (c *crowd) leave(place netip.Prefix) {
	if !place.IsValid() {
		return
	}
	if c.from[place]--; c.from[place] == 0 {
		delete(c.from, place)
	}
}
