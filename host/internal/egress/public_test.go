package egress

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/egress/egresstest"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// everything is an operator's exception for all networks.
var everything = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}

// TestPublicIsNoException: whatever networks the operator excepts, the word public reaches
// none of them, however it is spelled.
func TestPublicIsNoException(t *testing.T) {
	port, hits := egresstest.Canary(t)
	c := client(t, func(cfg *Config) {
		cfg.Network = Network{Resolver: egresstest.Zone().Resolver(t), Allow: everything}
		cfg.Origins = []plugin.Origin{plugin.Public()}
	})
	denied := 0
	for _, raw := range egresstest.Spellings(port) {
		for range 2 {
			switch got := get(t, c, raw).status(); got {
			case abi.OK:
				t.Errorf("%q is reached", raw)
			case abi.Denied:
				denied++
			}
		}
	}
	if n := hits.Load(); n != 0 || denied < 40 {
		t.Errorf("the canary was reached %d times, and %d calls are denied for their address", n, denied)
	}
}

// TestPublicTwin: what is granted by name is reached by the exception, public or not, and
// a redirect from there to another private origin is refused as its address is.
func TestPublicTwin(t *testing.T) {
	port, hits := egresstest.Canary(t)
	named := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/away" {
			http.Redirect(w, r, "http://127.0.0.1:"+port+"/", http.StatusFound)
		}
	})
	c := client(t, func(cfg *Config) { cfg.Origins = append(cfg.Origins, plugin.Public()) }, named)
	if got := get(t, c, named+"/"); got.head.Status != http.StatusOK {
		t.Errorf("granted by name: %+v", got)
	}
	if got := get(t, c, named+"/away"); got.status() != abi.Denied || !strings.Contains(got.head.Reason, "private, local or special") {
		t.Errorf("a redirect to a private address: %+v", got)
	}
	if n := hits.Load(); n != 0 {
		t.Errorf("the canary was reached %d times", n)
	}
}

// TestPublicCovers: the word is for hosts of networks, of both schemes and any port, and
// not for plugins of this server.
func TestPublicCovers(t *testing.T) {
	public := client(t, func(cfg *Config) { cfg.Origins = []plugin.Origin{plugin.Public()} })
	none := client(t, nil)
	for url, want := range map[string]abi.Status{
		"https://example.com/hook":           abi.OK,
		"http://example.com:8080":            abi.OK,
		"https://93.184.215.14":              abi.OK,
		"http://notwasmoor.internal":         abi.OK, // resolved, and judged as its address is
		"http://wasmoor.internal":            abi.Denied,
		"http://shop.wasmoor.internal/":      abi.Denied,
		"http://SHOP.Wasmoor.INTERNAL:8080/": abi.Denied,
		"https://a.b.wasmoor.internal":       abi.Denied,
		"http://shop.wasmoor.internal./":     abi.Invalid,
		"ftp://example.com":                  abi.Invalid,
		"public":                             abi.Invalid,
	} {
		if got, why := public.Check(url); got != want || (want == abi.OK) != (why == "") {
			t.Errorf("%s: %v, %q, want %v", url, got, why, want)
		}
		if got, _ := none.Check(url); got == abi.OK {
			t.Errorf("%s without a grant: %v", url, got)
		}
	}
}
