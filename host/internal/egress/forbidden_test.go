package egress

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// forbiddenHosts are spellings of loopback, of this machine, of metadata
// services and of private networks. PORT follows each of them.
var forbiddenHosts = []string{
	// Dotted quads and what inet_aton makes of less.
	"127.0.0.1", "127.0.0.2", "127.1", "127.0.1", "127.1.1.1", "127.255.255.254", "0.0.0.0", "0", "0.0", "0.0.0",
	// Decimal, octal, hexadecimal, mixed, overflowing.
	"2130706433", "02130706433", "4294967295", "4294967296", "6425673729", "017700000001", "0177.0.0.1", "0177.0.0.01", "0177.1", "00177.0.0.1",
	"0x7f000001", "0X7F000001", "0x7f.0.0.1", "0x7f.1", "0x7f.0x0.0x0.0x1", "0x7f.0.0.0x1", "127.0x0.1", "0177.0x0.0.1", "0x100000000", "0x0000007f000001",
	"127.0.0.1.", "127.0.0.01", "127.0.00.1", "127.000.000.001", "127.0.0.256", "256.127.0.0.1", "127.0.0.1.1", "127..0.1", ".127.0.0.1", "383.0.0.1",
	// IPv6 and the IPv4 within it.
	"[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[0000::0001]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::ffff:0:127.0.0.1]", "[::127.0.0.1]", "[::7f00:1]",
	"[0:0:0:0:0:ffff:127.0.0.1]", "[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2002:7f00:0001::1]", "[2001:0:7f00:1::]",
	"[fe80::1]", "[fe80::1%25lo]", "[fe80::1%lo]", "[fe80::1%25eth0]", "[::1%25lo]", "[::1%251]", "[fc00::1]", "[fd00::1]", "[fec0::1]", "[ff02::1]", "[100::1]",
	"[2001:db8::1]", "[3fff::1]", "[5f00::1]", "[::ffff:169.254.169.254]", "[fd00:ec2::254]", "[127.0.0.1]", "[v1.127.0.0.1]", "::1", "[::1", "::1]",
	// Networks that are private, shared, local, special.
	"10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.255.255", "100.64.0.1", "100.127.255.255",
	"169.254.0.1", "169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518", "192.0.0.1", "192.0.0.192", "192.0.2.1",
	"192.88.99.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "0.1.2.3",
	// Names.
	"localhost", "LOCALHOST", "localhost.", "localhost..", "loop.test", "LOOP.test", "loop.test.", "zero.test", "six.test", "mapped.test",
	"private.test", "metadata.test", "rebind.test", "xn--localhost.test",
	// What parsers take apart differently.
	"user@127.0.0.1", "user:pass@127.0.0.1", "public.test@127.0.0.1", "public.test:80@127.0.0.1", "public.test%40127.0.0.1", "public.test#@127.0.0.1",
	"127.0.0.1%00.public.test", "127.0.0.1%20", "%31%32%37.0.0.1", "127.0.0.1%2e", "127%2e0%2e0%2e1", "public.test\\@127.0.0.1", "127.0.0.1\\.public.test",
	"127.0.0.1 ", " 127.0.0.1", "\t127.0.0.1", "127.0.0.1\r\n", "127.0.0.1\x00", "public.test\r\nHost: 127.0.0.1", "127.0.0.1,public.test", "127.0.0.1;public.test",
	// Other scripts: full-width, circled, ideographic dots, a soft hyphen, a dotless i.
	"１２７.0.0.1", "①②⑦.⓪.⓪.①", "127。0。0。1", "127．0．0．1", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", "local\u00adhost", "ｌｏｃａｌｈｏｓｔ", "lоcalhost", "127.0.0.1\u200b",
	"", "*", "*.test", "-", "..", "[", "]", "[]", "%", "@",
}

// forbiddenURLs are whole spellings with HOST for loopback's port.
var forbiddenURLs = []string{
	"http:127.0.0.1:PORT/", "http:/127.0.0.1:PORT/", "http:///127.0.0.1:PORT/", "http:////127.0.0.1:PORT/", "http:\\\\127.0.0.1:PORT\\", "http:/\\127.0.0.1:PORT/",
	"//127.0.0.1:PORT/", "127.0.0.1:PORT", "HTTP://127.0.0.1:PORT/", "hTTp://127.0.0.1:PORT/", " http://127.0.0.1:PORT/", "http://127.0.0.1:PORT",
	"ftp://127.0.0.1:PORT/", "file://127.0.0.1:PORT/", "gopher://127.0.0.1:PORT/", "ws://127.0.0.1:PORT/", "unix://127.0.0.1:PORT/", "data://127.0.0.1:PORT/", "javascript://127.0.0.1:PORT/",
	"http://127.0.0.1:+PORT/", "http://127.0.0.1:0PORT/", "http://127.0.0.1:PORT:80/", "http://127.0.0.1::PORT/", "http://127.0.0.1:PORT@public.test:PORT/", "https://127.0.0.1:PORT/",
	"http://127.0.0.1:PORT?x", "http://127.0.0.1:PORT#x", "http://127.0.0.1:PORT/\x7f", "http://127.0.0.1:PORT/ü", "view-source:http://127.0.0.1:PORT/",
}

func spellings(port string) []string {
	var list []string
	for _, host := range forbiddenHosts {
		list = append(list, "http://"+host+":"+port+"/")
	}
	for _, u := range forbiddenURLs {
		list = append(list, strings.ReplaceAll(u, "PORT", port))
	}
	return list
}

// public is a name that answers with an address of documentation: nobody is
// there, and the guard refuses it too.
func zone() *names {
	addr := netip.MustParseAddr
	return &names{answers: map[string][]netip.Addr{
		"loop.test": {addr("127.0.0.1")}, "zero.test": {addr("0.0.0.0")}, "six.test": {addr("::1")}, "mapped.test": {addr("::ffff:127.0.0.1")},
		"private.test": {addr("10.0.0.1")}, "metadata.test": {addr("169.254.169.254")},
		"rebind.test": {addr("192.0.2.7"), addr("127.0.0.1")}, "public.test": {addr("192.0.2.7")}, "xn--localhost.test": {addr("127.0.0.1")},
	}}
}

// grantsAll grants every host that can be named, on the port: nothing but the
// address stands between the plugin and the canary.
func grantsAll(t *testing.T, port string) []plugin.Origin {
	t.Helper()
	origins := []plugin.Origin{}
	for _, raw := range spellings(port) {
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
	port, hits := canary(t)
	all := spellings(port)
	if len(all) < 120 {
		t.Fatalf("%d spellings, want at least 120", len(all))
	}
	c := client(t, func(cfg *Config) {
		cfg.Network = Network{Resolver: zone().resolver(t)}
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
	port, hits := canary(t)
	all := spellings(port)
	next := ""
	origin := upstream(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Location"] = []string{next}
		w.WriteHeader(http.StatusFound)
	})
	from, _ := plugin.ParseOrigin(origin)
	c := client(t, func(cfg *Config) {
		cfg.Network = Network{Resolver: zone().resolver(t), Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}
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
	port, hits := canary(t)
	next := ""
	origin := upstream(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Location"] = []string{next}
		w.WriteHeader(http.StatusTemporaryRedirect)
	})
	// The service itself is at 127.0.0.1, so the canary's other names stand for it.
	ln, err := netip.ParseAddrPort(strings.TrimPrefix(origin, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	from, _ := plugin.ParseOrigin(origin)
	c := client(t, func(cfg *Config) {
		cfg.Network = Network{Resolver: zone().resolver(t), Allow: []netip.Prefix{netip.PrefixFrom(ln.Addr(), 32)}}
		cfg.Origins = append(grantsAll(t, port), from)
	})
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
	port, hits := canary(t)
	zone := zone()
	zone.answers["turn.test"] = []netip.Addr{netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("127.0.0.1")}
	c := client(t, func(cfg *Config) {
		// 192.0.2.0/24 stands for a public network here; nobody answers there.
		cfg.Network = Network{Resolver: zone.resolver(t), Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}
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
	port, hits := canary(t)
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
	named := "http://loop.test:" + mustURL(t, origin).Port()
	c := client(t, func(cfg *Config) { cfg.Network.Resolver = zone().resolver(t) }, origin, named)
	for _, url := range []string{origin, named} {
		if got := get(t, c, url); got.body != "here" || got.head.Status != 200 {
			t.Errorf("%s: %+v", url, got)
		}
	}
}

func FuzzParseTarget(f *testing.F) {
	for _, raw := range spellings("80") {
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
