package public

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
)

func TestForwarded(t *testing.T) {
	trust := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	const plain = "127.0.0.1 http test test"
	for _, tc := range []struct {
		name  string
		trust []netip.Prefix
		lines []string
		want  string // remote, scheme, host, field host
	}{
		{"nothing said", trust, nil, plain},
		{"one hop", trust, []string{"X-Forwarded-For: 203.0.113.9"}, "203.0.113.9 http test test"},
		{"what the client claims counts for nothing", trust, []string{"X-Forwarded-For: 1.1.1.1, 203.0.113.9"}, "203.0.113.9 http test test"},
		{"over trusted hops", trust, []string{"X-Forwarded-For: 1.1.1.1, 203.0.113.9, 10.1.2.3, fd00::1"}, "203.0.113.9 http test test"},
		{"in two fields", trust, []string{"X-Forwarded-For: 1.1.1.1, 203.0.113.9", "X-Forwarded-For: 10.1.2.3"}, "203.0.113.9 http test test"},
		{"every hop trusted", trust, []string{"X-Forwarded-For: 10.9.9.9, 10.1.2.3"}, "10.9.9.9 http test test"},
		{"with ports", trust, []string{"X-Forwarded-For: 203.0.113.9:4711, 10.1.2.3:80"}, "203.0.113.9 http test test"},
		{"IPv6 in brackets", trust, []string{"X-Forwarded-For: [2001:db8::9]"}, "2001:db8::9 http test test"},
		{"IPv6 with a port", trust, []string{"X-Forwarded-For: [2001:db8::9]:443"}, "2001:db8::9 http test test"},
		{"mapped", trust, []string{"X-Forwarded-For: 203.0.113.9, ::ffff:10.1.2.3"}, "203.0.113.9 http test test"},
		{"no address", trust, []string{"X-Forwarded-For: 1.1.1.1, unknown, 10.1.2.3"}, "10.1.2.3 http test test"},
		{"empty", trust, []string{"X-Forwarded-For: "}, plain},
		{"scheme", trust, []string{"X-Forwarded-Proto: HTTPS"}, "127.0.0.1 https test test"},
		{"the last scheme", trust, []string{"X-Forwarded-Proto: https, http"}, plain},
		{"no scheme of ours", trust, []string{"X-Forwarded-Proto: gopher"}, plain},
		{"host", trust, []string{"X-Forwarded-Host: Shop.example:8443"}, "127.0.0.1 http Shop.example:8443 Shop.example:8443"},
		{"the last host", trust, []string{"X-Forwarded-Host: evil.example, shop.example"}, "127.0.0.1 http shop.example shop.example"},
		{"no host", trust, []string{"X-Forwarded-Host: a/b"}, plain},
		{"RFC 7239 is not read", trust, []string{"Forwarded: for=203.0.113.9;proto=https;host=x"}, plain},
		{"nobody trusted", nil, []string{"X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https", "X-Forwarded-Host: x", "Forwarded: for=203.0.113.9"}, plain},
		{"named by Connection", trust, []string{"Connection: X-Forwarded-For, x-forwarded-proto", "X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https"}, "203.0.113.9 https test test"},
		{"no other field of the kind", trust, []string{"X-Forwarded-Port: 1", "X-Forwarded-Prefix: /a", "X-Forwarded-Ssl: on", "X-Real-IP: 203.0.113.9"}, plain},
		{"nor from anybody", nil, []string{"X-Forwarded-Port: 1", "X-Forwarded-Server: a", "x-real-ip: 203.0.113.9"}, plain},
		{"another trusted", trust[1:], []string{"X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https", "X-Forwarded-Host: x"}, plain},
	} {
		t.Run(tc.name, func(t *testing.T) {
			addr := publicFor(t, func(inv *invoke.Invocation) (dispatch.Result, error) {
				h := &inv.Request.Head
				got := []string{h.Remote, h.Scheme, h.Host}
				for _, f := range h.Headers {
					switch {
					case f.Name == "host":
						got = append(got, f.Value)
					case strings.Contains(f.Name, "forwarded"), f.Name == "x-real-ip":
						got = append(got, "the guest sees "+f.Name)
					}
				}
				inv.Reply.Body = append(inv.Reply.Body, strings.Join(got, " ")...)
				return dispatch.Result{}, nil
			}, func(c *Config) { c.TrustedProxies = tc.trust })
			if diff := cmp.Diff(tc.want, servertest.RoundTrip(t, addr, servertest.Get("/", tc.lines...)).Text); diff != "" {
				t.Errorf("remote, scheme, host, field host (-want +got):\n%s", diff)
			}
		})
	}
}
