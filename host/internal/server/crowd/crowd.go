// Package crowd counts connections by where they come from, so that one client
// cannot take all that there may be. Packages server/wire and
// server/stream import it.
package crowd

import "net/netip"

// Crowd counts connections by where they come from. Not safe for concurrent use.
type Crowd struct {
	Max    int                   // from one place; 0 = any number
	Exempt func(netip.Addr) bool // whose connections are not counted

	from map[netip.Prefix]int
}

// placeBits is the part of an IPv6 address that a place has: less than a /64 is
// given to nobody.
const placeBits = 64

// Place returns where an address is: one of IPv4, or a network of IPv6. The zero
// Prefix is not counted.
func (c *Crowd) Place(ip netip.Addr) netip.Prefix {
	if c.Max == 0 || !ip.IsValid() || c.Exempt(ip) {
		return netip.Prefix{}
	}
	bits := ip.BitLen()
	if ip.Is6() {
		bits = placeBits
	}
	place, _ := ip.Prefix(bits) // it has as many
	return place
}

// Enter counts a connection from place, and reports false when it is one too many.
func (c *Crowd) Enter(place netip.Prefix) bool {
	if !place.IsValid() {
		return true
	}
	if c.from == nil {
		c.from = map[netip.Prefix]int{}
	}
	if c.from[place] >= c.Max {
		return false
	}
	c.from[place]++
	return true
}

// Leave ends the count of a connection that has entered.
func (c *Crowd) Leave(place netip.Prefix) {
	if !place.IsValid() {
		return
	}
	if c.from[place]--; c.from[place] == 0 {
		delete(c.from, place)
	}
}
