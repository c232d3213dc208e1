package crowd

import (
	"net/netip"
	"testing"
)

func TestCrowd(t *testing.T) {
	c := Crowd{Max: 2, Exempt: netip.MustParsePrefix("192.0.2.0/24").Contains}
	enter := func(ip string) bool {
		t.Helper()
		return c.Enter(c.Place(netip.MustParseAddr(ip)))
	}
	for _, test := range []struct {
		ip string
		ok bool
	}{
		{"198.51.100.1", true},
		{"198.51.100.1", true},
		{"198.51.100.1", false},
		{"198.51.100.2", true},
		{"2001:db8:1:2::1", true},
		{"2001:db8:1:2:ffff::2", true},
		{"2001:db8:1:2::3", false}, // one /64
		{"2001:db8:1:3::1", true},
		{"192.0.2.1", true},
		{"192.0.2.1", true},
		{"192.0.2.1", true}, // a proxy
	} {
		if got := enter(test.ip); got != test.ok {
			t.Errorf("%s enters: %v, want %v", test.ip, got, test.ok)
		}
	}
	c.Leave(c.Place(netip.MustParseAddr("198.51.100.1")))
	if !enter("198.51.100.1") {
		t.Error("a connection that has left makes no room")
	}
	for _, ip := range []string{"198.51.100.1", "198.51.100.1", "198.51.100.2", "2001:db8:1:2::1", "2001:db8:1:2::2", "2001:db8:1:3::1", "192.0.2.1"} {
		c.Leave(c.Place(netip.MustParseAddr(ip)))
	}
	if len(c.from) > 0 {
		t.Errorf("places of nobody are kept: %v", c.from)
	}
}
