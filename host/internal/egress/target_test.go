package egress

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/egress/egresstest"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// FuzzTarget reads URLs of guests and locations of services. What is taken has
// one spelling, and leads where its origin says that it does.
func FuzzTarget(f *testing.F) {
	for _, raw := range egresstest.Spellings("80") {
		f.Add(raw, "/next")
		f.Add("https://a.example/b?c#d", raw)
	}
	for _, location := range []string{"", "?x", "#x", "//b.example:8443/", "https:/x", "https:x", "http://b.example", "../..", "/%2e%2e//x", "HTTPS://B.Example:443"} {
		f.Add("https://a.example:443/%zz/b/c", location)
		f.Add("http://[2001:db8::1]:8080/a?b=%", location)
	}
	f.Fuzz(func(t *testing.T, raw, location string) {
		from, why := parseTarget(raw)
		if why != "" {
			return
		}
		checkTarget(t, from)
		if next, why := locate(from, location); why == "" {
			checkTarget(t, next)
		}
	})
}

func checkTarget(t *testing.T, got target) {
	t.Helper()
	text := got.url.String()
	again, why := parseTarget(text)
	if why != "" || again.origin != got.origin || again.url.String() != text {
		t.Errorf("%q is read again as %+v: %s", text, again, why)
	}
	if o, err := plugin.ParseOrigin(got.origin.String()); err != nil || o != got.origin {
		t.Errorf("the origin %+v of %q cannot be granted: %+v, %v", got.origin, text, o, err)
	}
	u, err := url.Parse(text)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	port := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	if u.Port() != "" {
		port = u.Port()
	}
	host := u.Hostname() // net/http dials it as it is where it is ASCII
	if where := host + ":" + port; where != got.String() {
		t.Errorf("%q is dialled at %s, its origin is %s", text, where, got)
	}
	if _, err := netip.ParseAddr(host); err != nil && strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789.-_") != "" {
		t.Errorf("%q has the host %q", text, host)
	}
	if _, err := http.NewRequest(http.MethodGet, text, nil); err != nil { //nolint:noctx // it is not sent
		t.Errorf("%q: %v", text, err)
	}
}
