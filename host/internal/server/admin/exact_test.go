package admin

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
)

// near draws strings of a few characters, among them those that a form allows.
func near(chars string) *rapid.Generator[string] {
	return rapid.StringOfN(rapid.SampledFrom([]rune(chars)), 1, 12, -1)
}

// TestFormsAreTheDomains: what the document allows is what the domain's own checks
// allow, no more and no less. Each form is written twice, for package adminapi
// imports no other.
func TestFormsAreTheDomains(t *testing.T) {
	addr := adminFor(t, &recorder{})
	for name, tc := range map[string]struct {
		chars string
		path  func(string) string
		check func(string) error
	}{
		"plugin": {"aZ09-_é", func(s string) string { return "/v1/plugins/" + url.PathEscape(s) }, plugin.CheckName},
		"var":    {"aZ09-_é", func(s string) string { return "/v1/plugins/shop/vars/" + url.PathEscape(s) }, manifest.CheckVar},
		"mount": {"aZ0.-~_////é", func(s string) string { return "/v1/plugins/shop/versions?mount=" + url.QueryEscape(s) }, func(s string) error {
			_, err := plugin.ParseMount(s)
			return err
		}},
		"reserved": {"ab./", func(s string) string { return "/v1/plugins/shop/versions?mount=" + url.QueryEscape(reserved(s)) }, func(s string) error {
			_, err := plugin.ParseMount(reserved(s))
			return err
		}},
		"label": {"a \x00\x1f\x7f\u0080\u009f\u00a0é\u2028", func(s string) string { return "/v1/plugins/shop/versions?label=" + url.QueryEscape(s) }, manifest.CheckLabel},
	} {
		t.Run(name, rapid.MakeCheck(func(r *rapid.T) {
			text := near(tc.chars).Draw(r, "text")
			method, status := "POST", 201
			switch name {
			case "plugin":
				method, status = "GET", 200
			case "var":
				method, status = "DELETE", 200
			}
			got := servertest.RoundTrip(t, addr, servertest.Local(method, tc.path(text), "", right, "Content-Length: 0"))
			if err := tc.check(text); (err == nil) != (got.StatusCode == status) {
				r.Errorf("%q: the API answers %d %s, the domain says %v", text, got.StatusCode, got.Text, err)
			}
		}))
	}
}

// reserved makes a mount of one of the host's own paths, or of one like it.
func reserved(s string) string {
	host, tail, _ := strings.Cut(s, "/")
	return host + "/livez" + strings.TrimPrefix(tail, "a")
}

// TestDurationsAreTheClients: every time to live that the document allows is one,
// and the client's are allowed.
func TestDurationsAreTheClients(t *testing.T) {
	var ttl time.Duration
	d := &recorder{}
	addr := adminFor(t, d)
	put := func(text string) int {
		return servertest.RoundTrip(t, addr, servertest.Local("PUT", "/v1/plugins/shop/kv/value?key=a&ttl="+url.QueryEscape(text), "v", right, "Content-Length: 1")).StatusCode
	}
	rapid.Check(t, func(r *rapid.T) {
		text := near("0019.hms").Draw(r, "text")
		ttl, _ = time.ParseDuration(text)
		if status := put(text); status == 400 || status == 204 && ttl <= 0 {
			r.Errorf("%q is answered %d", text, status)
		}
		ttl = time.Duration(rapid.Int64Range(1, int64(999_999*time.Hour/time.Millisecond)).Draw(r, "millis")) * time.Millisecond
		if status := put(ttl.String()); status != 204 {
			r.Errorf("%s is answered %d", ttl, status)
		}
	})
}

// TestPoliciesAreTheDomains is TestFormsAreTheDomains for CORS, where one list has
// to do with another.
func TestPoliciesAreTheDomains(t *testing.T) {
	addr := adminFor(t, &recorder{})
	origins := []string{
		"*", "https://a.example", "http://a", "https://a:80", "http://a:443", "https://[::1]:1", "https://a:99999",
		"https://a:443", "http://a:80", "null", "HTTP://a", "",
	}
	methods := []string{"GET", "DELETE", "OPTIONS", "BREW", "brew", "get", "Get", "gET", "deletE", "Options", "*", "a b", ""}
	fields := []string{"*", "X-A", "x-b", "*x", "a b", "a,b", "é", ""}
	rapid.Check(t, func(r *rapid.T) {
		// Half of the draws are of the first ones, which are good.
		list := func(name string, items []string) []string {
			if rapid.Bool().Draw(r, "good "+name) {
				items = items[:len(items)/2]
			}
			return rapid.SliceOfN(rapid.SampledFrom(items), 0, 2).Draw(r, name)
		}
		policy := plugin.CORS{
			Origins: list("origins", origins), Methods: list("methods", methods), Headers: list("headers", fields), Expose: list("expose", fields),
			Credentials: rapid.Bool().Draw(r, "credentials"), MaxAge: rapid.IntRange(-1, 4).Draw(r, "max age"),
		}
		body := encode(t, adminapi.CORS(policy))
		got := servertest.RoundTrip(t, addr, servertest.Local("PUT", "/v1/plugins/shop/cors", body, right, fmt.Sprintf("Content-Length: %d", len(body))))
		if err := policy.Check(); (err == nil) != (got.StatusCode == 200) {
			r.Errorf("%s: the API answers %d %s, the domain says %v", body, got.StatusCode, got.Text, err)
		}
	})
}
