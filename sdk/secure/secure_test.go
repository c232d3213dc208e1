package secure_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/nethttp"
	"github.com/wasmoor/wasmoor/sdk/sdktest"
	"github.com/wasmoor/wasmoor/sdk/secure"
)

const trusted = "https://app.example.com"

func ok(w *sdk.Response, _ *sdk.Request) error { return w.Text(200, "done") }

// origins are the four ways to a check: ours and that of net/http, as a plugin and
// under a server.
type origins struct {
	ours, theirs *sdktest.Host
	plain        http.Handler
}

func newOrigins(tb testing.TB) origins {
	tb.Helper()
	protection := http.NewCrossOriginProtection()
	if err := protection.AddTrustedOrigin(trusted); err != nil {
		tb.Fatal(err)
	}
	plain := protection.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	o := origins{sdktest.New(secure.SameOrigin(ok, trusted)), sdktest.New(nethttp.Serve(plain)), plain}
	o.ours.Mount, o.theirs.Mount = "/shop", "/shop"
	return o
}

// check sends a request to each and wants the status of net/http from all.
func (o origins) check(tb testing.TB, method, host, origin, site string) (status int) {
	tb.Helper()
	request := func() *http.Request {
		r := httptest.NewRequest(method, "/form", nil)
		r.Host = host
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		if site != "" {
			r.Header.Set("Sec-Fetch-Site", site)
		}
		return r
	}
	w := httptest.NewRecorder()
	o.plain.ServeHTTP(w, request())
	for name, h := range map[string]*sdktest.Host{"ours": o.ours, "net/http in a plugin": o.theirs} {
		if res := h.Do(request()); res.Status != w.Code {
			tb.Errorf("%s %s, origin %q, site %q: %s says %v, net/http %d", method, host, origin, site, name, res, w.Code)
		}
	}
	return w.Code
}

func TestSameOrigin(t *testing.T) {
	o := newOrigins(t)
	for _, c := range []struct {
		method, origin, site string
		status               int
	}{
		{"POST", "", "", 200}, // curl
		{"POST", "", "same-origin", 200},
		{"POST", "", "none", 200},
		{"POST", "", "cross-site", 403},
		{"POST", "", "same-site", 403},
		{"POST", "", "Same-Origin", 403},
		{"POST", "https://shop.example.com", "cross-site", 403},
		{"POST", "https://shop.example.com", "", 200},
		{"POST", "http://shop.example.com", "", 200},
		{"POST", "https://shop.example.com:8443", "", 403},
		{"POST", "https://evil.example", "", 403},
		{"POST", "https://shop.example.com.evil.example", "", 403},
		{"POST", "null", "", 403},
		{"POST", "null", "same-origin", 200},
		{"POST", trusted, "", 200},
		{"POST", trusted, "cross-site", 200},
		{"POST", trusted + "/", "cross-site", 403},
		{"GET", "https://evil.example", "cross-site", 200},
		{"HEAD", "https://evil.example", "cross-site", 200},
		{"OPTIONS", "https://evil.example", "cross-site", 200},
		{"DELETE", "https://evil.example", "cross-site", 403},
		{"PUT", "https://evil.example", "", 403},
	} {
		if got := o.check(t, c.method, "shop.example.com", c.origin, c.site); got != c.status {
			t.Errorf("%s, origin %q, site %q: got %d, want %d", c.method, c.origin, c.site, got, c.status)
		}
	}
}

func TestTrustedOriginsAreOrigins(t *testing.T) {
	for _, origin := range []string{"", "app.example.com", "https://", "://x", "https://app.example.com/", "https://a@b", "https:// x", "https://x?y"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q is taken", origin)
				}
			}()
			secure.SameOrigin(ok, origin)
		}()
	}
}

func FuzzSameOrigin(f *testing.F) {
	f.Add("shop.example.com", "https://shop.example.com", "")
	f.Add("[::1]:80", "http://[::1]:80", "cross-site")
	f.Add("a", "x://a//b", "same-site")
	o := newOrigins(f)
	f.Fuzz(func(t *testing.T, host, origin, site string) {
		for _, s := range []string{host, origin, site} {
			if strings.Trim(s, " ") != s || strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c >= 0x7f }) {
				return // no host of ours, or refused before
			}
		}
		if host == "" || strings.ContainsAny(host, "/?#@\\%") || strings.Contains(origin, "@") || strings.Contains(origin, "%") {
			return // no browser sends it, and ours refuses more
		}
		w := httptest.NewRecorder()
		r := httptest.NewRequest("POST", "/", nil)
		r.Host = host
		r.Header.Set("Origin", origin)
		r.Header.Set("Sec-Fetch-Site", site)
		o.plain.ServeHTTP(w, r)
		if res := o.ours.Do(r); res.Status == 200 && w.Code != 200 {
			t.Errorf("host %q, origin %q, site %q: ours takes what net/http refuses", host, origin, site)
		}
	})
}

func TestHeaders(t *testing.T) {
	host := sdktest.New(secure.Pages(func(w *sdk.Response, r *sdk.Request) error {
		if r.Path() == "/problem" {
			return sdk.Error(404, "no such page")
		}
		w.SetHeader("Referrer-Policy", "no-referrer")
		return w.HTML(200, "<p>hello</p>")
	}))
	page, problem := host.Get("/"), host.Get("/problem")
	for name, want := range map[string]string{
		"Content-Security-Policy":    "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'none'",
		"X-Content-Type-Options":     "nosniff",
		"Cross-Origin-Opener-Policy": "same-origin",
		"Strict-Transport-Security":  "", // over plain HTTP
	} {
		for _, res := range []*sdktest.Result{page, problem} {
			if got := res.Header.Get(name); got != want {
				t.Errorf("%d %s: got %q, want %q", res.Status, name, got, want)
			}
		}
	}
	if got := page.Header["Referrer-Policy"]; len(got) != 1 || got[0] != "no-referrer" {
		t.Errorf("what the handler sets: got %q", got)
	}
}

func TestHeadersOverHTTPS(t *testing.T) {
	var names []string
	for name := range (secure.Headers{}).All(true) {
		names = append(names, name)
	}
	if got := names[len(names)-1]; got != "Strict-Transport-Security" {
		t.Errorf("got %q", names)
	}
	for range (secure.Headers{}).All(true) {
		break
	}
}

func TestNonce(t *testing.T) {
	one, two := secure.NewNonce(), secure.NewNonce()
	if one == two || len(one) != 22 {
		t.Errorf("got %q and %q", one, two)
	}
	for name, value := range (secure.Headers{Nonce: one}).All(false) {
		if name == "Content-Security-Policy" && !strings.Contains(value, "script-src 'self' 'nonce-"+one+"'; style-src 'self' 'nonce-"+one+"'") {
			t.Errorf("got %q", value)
		}
	}
	for name, value := range (secure.Headers{Policy: "default-src 'none'"}).All(false) {
		if name == "Content-Security-Policy" && value != "default-src 'none'" {
			t.Errorf("got %q", value)
		}
	}
}
