package egress

import (
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
