package wire

import (
	"bufio"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
)

func TestCrowd(t *testing.T) {
	c := crowd{max: 2, exempt: Networks{netip.MustParsePrefix("192.0.2.0/24")}}
	enter := func(ip string) bool {
		t.Helper()
		return c.enter(c.place(&net.TCPAddr{IP: net.ParseIP(ip), Port: 1}))
	}
	for _, test := range []struct {
		ip string
		ok bool
	}{
		{"198.51.100.1", true},
		{"198.51.100.1", true},
		{"198.51.100.1", false},
		{"::ffff:198.51.100.1", false}, // the same address
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
	c.leave(c.place(&net.TCPAddr{IP: net.ParseIP("198.51.100.1")}))
	if !enter("198.51.100.1") {
		t.Error("a connection that has left makes no room")
	}
	for _, ip := range []string{"198.51.100.1", "198.51.100.1", "198.51.100.2", "2001:db8:1:2::1", "2001:db8:1:2::2", "2001:db8:1:3::1", "192.0.2.1"} {
		c.leave(c.place(&net.TCPAddr{IP: net.ParseIP(ip)}))
	}
	if len(c.from) > 0 {
		t.Errorf("places of nobody are kept: %v", c.from)
	}
}

func TestConnectionsOfOneAddress(t *testing.T) {
	addr := edgeFor(t, Conns{PerAddress: 2})
	first, _ := kept(t, addr)
	kept(t, addr)
	over := servertest.Dial(t, addr)
	got := servertest.Receive(t, bufio.NewReader(over), "GET")
	if got.StatusCode != 429 || got.Header.Get("Retry-After") == "" || !got.Close {
		t.Errorf("status %d", got.StatusCode)
	}
	servertest.CheckProblem(t, got)
	_ = first.Close()
	for deadline := time.Now().Add(5 * time.Second); ; {
		if servertest.RoundTrip(t, addr, servertest.Get("/")).StatusCode == 200 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("a closed connection makes no room")
		}
	}
}
