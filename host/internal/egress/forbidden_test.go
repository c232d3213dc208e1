package egress

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/egress/egresstest"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// grantsAll grants every host that can be named, on the port: nothing but the
// address stands between the plugin and the canary.
func grantsAll(t *testing.T, port string) []plugin.Origin {
	t.Helper()
	origins := []plugin.Origin{}
	for _, raw := range egresstest.Spellings(port) {
		if target, why := parseTarget(raw); why == "" {
			origins = append(origins, target.origin)
		}
	}
	if len(origins) < 40 {
		t.Fatalf("%d spellings can be granted at all", len(origins))
	}
	return origins
}

func TestForbiddenDestinations(t *testing.T) {
	port, hits := egresstest.Canary(t)
	all := egresstest.Spellings(port)
	if len(all) < 120 {
		t.Fatalf("%d spellings, want at least 120", len(all))
	}
	c := client(t, func(cfg *Config) {
		cfg.Network = Network{Resolver: egresstest.Zone().Resolver(t)}
		cfg.Origins = grantsAll(t, port)
	})
	for _, raw := range all {
		for range 2 { // the second time a name may be rebound
			got := get(t, c, raw).status()
			if got != abi.Invalid && got != abi.Denied && !(got == abi.Unreachable && strings.Contains(raw, ".test")) && !strings.Contains(raw, "localhost.") {
				t.Errorf("%q: %v", raw, got)
			}
		}
	}
	t.Logf("%d spellings, %d connections", len(all), hits.Load())
	if n := hits.Load(); n != 0 {
		t.Errorf("the canary was reached %d times", n)
	}
}

// TestRedirectsToForbiddenDestinations lets a service that may be called lead
// to each of them.
func TestRedirectsToForbiddenDestinations(t *testing.T) {
	port, hits := egresstest.Canary(t)
	all := egresstest.Spellings(port)
	next := ""
	origin := upstream(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Location"] = []string{next}
		w.WriteHeader(http.StatusFound)
	})
	from, _ := plugin.ParseOrigin(origin)
	c := client(t, func(cfg *Config) {
		cfg.Network = Network{Resolver: egresstest.Zone().Resolver(t), Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}
		cfg.Origins = []plugin.Origin{from}
	})
	for _, next = range all {
		if got := get(t, c, origin); got.status() == abi.OK && got.head.Status == http.StatusOK {
			t.Errorf("a redirect to %q was followed", next)
		}
	}
	if n := hits.Load(); n != 0 {
		t.Errorf("the canary was reached %d times", n)
	}
}

// TestRedirectsToForbiddenAddresses grants the names: the socket is the last
// to judge.
func TestRedirectsToForbiddenAddresses(t *testing.T) {
	port, hits := egresstest.Canary(t)
	next := ""
	origin := upstream(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Location"] = []string{next}
		w.WriteHeader(http.StatusTemporaryRedirect)
	})
	from, _ := plugin.ParseOrigin(origin)
	c := client(t, func(cfg *Config) {
		cfg.Network = Network{Resolver: egresstest.Zone().Resolver(t), Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}
		cfg.Origins = append(grantsAll(t, port), from)
	})
	// The service itself is at 127.0.0.1, so the canary's other names stand for it.
	for _, host := range []string{"127.0.0.2", "[::1]", "zero.test", "six.test", "private.test", "metadata.test", "0.0.0.0"} {
		next = "http://" + host + ":" + port + "/"
		if got := get(t, c, origin).status(); got != abi.Denied {
			t.Errorf("a redirect to %s: %v, want denied", next, got)
		}
	}
	if n := hits.Load(); n != 0 {
		t.Errorf("the canary was reached %d times", n)
	}
}

func TestRebinding(t *testing.T) {
	port, hits := egresstest.Canary(t)
	zone := egresstest.Zone()
	zone.Answers["turn.test"] = []netip.Addr{netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("127.0.0.1")}
	c := client(t, func(cfg *Config) {
		// 192.0.2.0/24 stands for a public network here; nobody answers there.
		cfg.Network = Network{Resolver: zone.Resolver(t), Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}
		cfg.Limits.Timeout = short
	}, "http://turn.test:"+port)
	first := get(t, c, "http://turn.test:"+port)
	second := get(t, c, "http://turn.test:"+port)
	if s := first.status(); s != abi.Timeout && s != abi.Unreachable && s != abi.Denied {
		t.Errorf("the first call: %v", s)
	}
	if s := second.status(); s != abi.Denied {
		t.Errorf("the second call: %v %q, want denied", s, second.head.Reason)
	}
	if n := hits.Load(); n != 0 {
		t.Errorf("the canary was reached %d times", n)
	}
}

func TestWithoutAGrant(t *testing.T) {
	port, hits := egresstest.Canary(t)
	for _, origins := range [][]string{nil, {"https://127.0.0.1:" + port}, {"http://127.0.0.1"}, {"http://*.0.example"}} {
		c := client(t, nil, origins...)
		if got := get(t, c, "http://127.0.0.1:"+port); got.opened != abi.Denied {
			t.Errorf("granted %v: %v, want denied", origins, got.opened)
		}
	}
	if n := hits.Load(); n != 0 {
		t.Errorf("the canary was reached %d times", n)
	}
}

// TestTheGrantedTwin shows that grant and network together do let a call pass.
func TestTheGrantedTwin(t *testing.T) {
	origin := upstream(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "here") })
	named := strings.Replace(origin, "127.0.0.1", "loop.test", 1)
	c := client(t, func(cfg *Config) { cfg.Network.Resolver = egresstest.Zone().Resolver(t) }, origin, named)
	for _, url := range []string{origin, named} {
		if got := get(t, c, url); got.body != "here" || got.head.Status != 200 {
			t.Errorf("%s: %+v", url, got)
		}
	}
}

func FuzzParseTarget(f *testing.F) {
	for _, raw := range egresstest.Spellings("80") {
		f.Add(raw)
	}
	f.Add("https://a.example:8443/a%2fb?q#f")
	f.Fuzz(func(t *testing.T, raw string) {
		first, why := parseTarget(raw)
		if why != "" {
			return
		}
		if first.url.User != nil || first.url.Fragment != "" || first.origin.Host == "" || first.origin.Port == 0 {
			t.Errorf("%q reads as %+v", raw, first)
		}
		again, why := parseTarget(first.url.String())
		if why != "" || again.origin != first.origin || again.url.String() != first.url.String() {
			t.Errorf("%q reads as %s, which reads as %s %q", raw, first.url, again.url, why)
		}
	})
}

// TestAddresses judges addresses as sockets get them, whatever this machine can
// reach.
func TestAddresses(t *testing.T) {
	judge := guard([]netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd01::/16")})
	for _, tc := range []struct {
		want  error
		addrs []string
	}{
		{nil, []string{"8.8.8.8", "2606:4700::1111", "10.1.2.3", "fd01::1", "64:ff9b::8.8.8.8", "64:ff9b::10.1.2.3"}},
		{errForbidden, []string{
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
	judge := guard(allow)
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
				"169.254.169.254": errForbidden, "127.0.0.1": errForbidden, "10.2.0.1": errForbidden, "172.16.0.1": errForbidden,
				"192.168.1.1": errForbidden, "100.64.0.1": errForbidden, "168.63.129.16": errForbidden, "224.0.0.1": errForbidden, "255.255.255.255": errForbidden,
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
		"64:ff9c::a00:1": errForbidden, "64:ff9b:2::a00:1": errForbidden, "64:ff9b:1::": errForbidden, "fe80::5efe:808:808": errForbidden,
	} {
		if got := judge("tcp6", netip.AddrPortFrom(netip.MustParseAddr(addr), 443).String(), nil); !errors.Is(got, want) {
			t.Errorf("%s: %v, want %v", addr, got, want)
		}
	}
}

func pair(b []byte) int { return int(b[0])<<8 | int(b[1]) }
