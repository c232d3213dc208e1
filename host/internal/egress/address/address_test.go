package address

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
)

// TestAddresses judges addresses as sockets get them, whatever this machine can
// reach.
func TestAddresses(t *testing.T) {
	judge := Guard([]netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd01::/16")})
	for _, tc := range []struct {
		want  error
		addrs []string
	}{
		{nil, []string{"8.8.8.8", "2606:4700::1111", "10.1.2.3", "fd01::1", "64:ff9b::8.8.8.8", "64:ff9b::10.1.2.3"}},
		{ErrForbidden, []string{
			"0.1.2.3", "10.2.0.1", "100.100.100.200", "127.0.0.1", "168.63.129.16", "169.254.169.254", "192.0.0.170", "192.88.99.1",
			"198.19.255.254", "224.0.0.1", "240.0.0.1", "255.255.255.255",
			"::", "::1", "::7f00:1", "::ffff:8.8.8.8", "::ffff:10.1.2.3", "::ffff:0:7f00:1", "64:ff9b::7f00:1", "64:ff9b:1::1", "100::1", "100:0:0:1::1",
			"2001:0:7f00:1::1", "2001:2::1", "2001:10::1", "2001:20::1", "2001:30::1", "2001:db8::1", "2002:7f00:1::1", "2620:4f:8000::1",
			"3fff::1", "4000::1", "5f00::1", "fd00:ec2::254", "fe80::1%lo", "fec0::1", "ff0e::1",
		}},
	} {
		for _, addr := range tc.addrs {
			at := netip.AddrPortFrom(netip.MustParseAddr(addr), 443)
			network := "tcp4"
			if at.Addr().Is6() {
				network = "tcp6"
			}
			if got := judge(network, at.String(), nil); !errors.Is(got, tc.want) {
				t.Errorf("%s: %v, want %v", addr, got, tc.want)
			}
		}
	}
}

// TestTranslatedAddresses judges what an address stands for behind a translator or
// a tunnel, with every prefix of them under an operator's exception, and one
// private network.
func TestTranslatedAddresses(t *testing.T) {
	var allow []netip.Prefix
	for _, p := range []string{
		"64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::ffff:0:0:0/96", "::/96", "fd00::/8", "2001:db8::/32", "10.1.0.0/16",
	} {
		allow = append(allow, netip.MustParsePrefix(p))
	}
	judge := Guard(allow)
	for _, tc := range []struct {
		name      string
		of        func(four [4]byte) string
		undecided bool // where the address is, is not known: a public one may be refused
	}{
		{"NAT64", func(f [4]byte) string { return fmt.Sprintf("64:ff9b::%x:%x", pair(f[:2]), pair(f[2:])) }, false},
		{"local NAT64, /96", func(f [4]byte) string { return fmt.Sprintf("64:ff9b:1::%x:%x", pair(f[:2]), pair(f[2:])) }, false},
		{"local NAT64, /64", func(f [4]byte) string {
			return fmt.Sprintf("64:ff9b:1:0:%x:%x:%x:0", f[0], pair(f[1:3]), int(f[3])<<8)
		}, true},
		{"local NAT64, /56", func(f [4]byte) string { return fmt.Sprintf("64:ff9b:1:%x:%x:%x::", f[0], f[1], pair(f[2:])) }, true},
		{"local NAT64, /48", func(f [4]byte) string {
			return fmt.Sprintf("64:ff9b:1:%x:%x:%x::", pair(f[:2]), f[2], int(f[3])<<8)
		}, true},
		{"local NAT64, /48 and a suffix", func(f [4]byte) string {
			return fmt.Sprintf("64:ff9b:1:%x:%x:%x:808:808", pair(f[:2]), f[2], int(f[3])<<8|8)
		}, true},
		{"6to4", func(f [4]byte) string { return fmt.Sprintf("2002:%x:%x::1", pair(f[:2]), pair(f[2:])) }, false},
		{"Teredo, client", func(f [4]byte) string {
			return fmt.Sprintf("2001:0:808:808:0:0:%x:%x", 0xffff^pair(f[:2]), 0xffff^pair(f[2:]))
		}, false},
		{"Teredo, server", func(f [4]byte) string { return fmt.Sprintf("2001:0:%x:%x:0:0:f7f7:f7f7", pair(f[:2]), pair(f[2:])) }, false},
		{"ISATAP", func(f [4]byte) string { return fmt.Sprintf("2001:db8::5efe:%x:%x", pair(f[:2]), pair(f[2:])) }, false},
		{"ISATAP, unique", func(f [4]byte) string { return fmt.Sprintf("fd00::200:5efe:%x:%x", pair(f[:2]), pair(f[2:])) }, false},
		{"SIIT", func(f [4]byte) string { return fmt.Sprintf("::ffff:0:%x:%x", pair(f[:2]), pair(f[2:])) }, false},
		{"compatible", func(f [4]byte) string { return fmt.Sprintf("::%x:%x", pair(f[:2]), pair(f[2:])) }, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for four, want := range map[string]error{
				"8.8.8.8": nil, "1.1.1.1": nil, "172.15.255.255": nil, "172.32.0.1": nil, "169.253.1.1": nil, "10.1.2.3": nil,
				"169.254.169.254": ErrForbidden, "127.0.0.1": ErrForbidden, "10.2.0.1": ErrForbidden, "172.16.0.1": ErrForbidden,
				"192.168.1.1": ErrForbidden, "100.64.0.1": ErrForbidden, "168.63.129.16": ErrForbidden, "224.0.0.1": ErrForbidden, "255.255.255.255": ErrForbidden,
			} {
				addr := netip.MustParseAddr(tc.of(netip.MustParseAddr(four).As4()))
				if got := judge("tcp6", netip.AddrPortFrom(addr, 443).String(), nil); !errors.Is(got, want) && !(tc.undecided && want == nil) {
					t.Errorf("%s at %s: %v, want %v", four, addr, got, want)
				}
			}
		})
	}
	for addr, want := range map[string]error{
		"::1": nil, "::": nil, "fd00::1": nil, "fd00::5eff:a00:1": nil, "2003:a00:1::1": nil, // the neighbours
		"64:ff9c::a00:1": ErrForbidden, "64:ff9b:2::a00:1": ErrForbidden, "64:ff9b:1::": ErrForbidden, "fe80::5efe:808:808": ErrForbidden,
	} {
		if got := judge("tcp6", netip.AddrPortFrom(netip.MustParseAddr(addr), 443).String(), nil); !errors.Is(got, want) {
			t.Errorf("%s: %v, want %v", addr, got, want)
		}
	}
}

func pair(b []byte) int { return int(b[0])<<8 | int(b[1]) }
