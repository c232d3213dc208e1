package public

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

// policed puts a policy on everything that is mounted.
type policed struct {
	Routes
	policy *plugin.CORS
}

func (p policed) Route(method, host, path string, params []abi.Pair, c deploy.Client) Match {
	m := p.Routes.Route(method, host, path, params, c)
	if path != "/nothing" {
		m.CORS = p.policy
	}
	return m
}

func withPolicy(policy *plugin.CORS) func(*Config) {
	return func(c *Config) { c.Routes = policed{c.Routes, policy} }
}

var (
	strict = &plugin.CORS{
		Origins: []string{"https://a.example", "https://b.example:8443"}, Methods: []string{"GET", "PUT"},
		Headers: []string{"content-type", "x-a"}, Expose: []string{"etag"}, Credentials: true, MaxAge: 600,
	}
	open = &plugin.CORS{Origins: []string{"*"}}
)

// corsFields returns what a response says about CORS, as lines.
func corsFields(h http.Header) []string {
	var lines []string
	for _, name := range []string{
		"Access-Control-Allow-Credentials", "Access-Control-Allow-Headers", "Access-Control-Allow-Methods",
		"Access-Control-Allow-Origin", "Access-Control-Expose-Headers", "Access-Control-Max-Age", "Vary",
	} {
		for _, value := range h.Values(name) {
			lines = append(lines, strings.TrimPrefix(name, "Access-Control-")+": "+value)
		}
	}
	return lines
}

func TestCORS(t *testing.T) {
	const vary = "Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
	ask := []string{"Origin: https://a.example", "Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: x-a"}
	allowed := []string{"Allow-Credentials: true", "Allow-Headers: content-type, x-a", "Allow-Methods: GET, PUT", "Allow-Origin: https://a.example", "Max-Age: 600", vary}
	readable := []string{"Allow-Credentials: true", "Allow-Origin: https://a.example", "Expose-Headers: etag", "Vary: Origin"}
	guests := []string{"Allow-Methods: guest's", "Allow-Origin: guest's", "Vary: accept"}
	mine := func(fields ...string) []string { return append(fields, "Vary: accept", "Vary: Origin") }
	for _, tc := range []struct {
		name   string
		policy *plugin.CORS
		raw    string
		status int
		woken  bool
		want   []string
	}{
		{"preflight", strict, servertest.Request("OPTIONS", "/", "", ask...), 204, false, allowed},
		{"preflight for a method the path lacks", strict, servertest.Request("OPTIONS", "/fixed", "", ask...), 204, false, allowed},
		{"preflight of another origin", strict, servertest.Request("OPTIONS", "/", "", "Origin: https://evil.example", ask[1]), 204, false, []string{vary}},
		{"preflight of a longer origin", strict, servertest.Request("OPTIONS", "/", "", ask[0]+".evil", ask[1]), 204, false, []string{vary}},
		{"preflight of another port", strict, servertest.Request("OPTIONS", "/", "", "Origin: https://b.example", ask[1]), 204, false, []string{vary}},
		{"preflight for everyone", open, servertest.Request("OPTIONS", "/", "", ask...), 204, false, []string{"Allow-Methods: GET, HEAD, POST", "Allow-Origin: *", vary}},
		{"preflight without a policy", nil, servertest.Request("OPTIONS", "/", "", ask...), 200, true, guests},
		{"preflight where nothing is", strict, servertest.Request("OPTIONS", "/nothing", "", ask...), 404, false, nil},
		{"OPTIONS of no browser", strict, servertest.Request("OPTIONS", "/", ""), 200, true, mine()},
		{"two origins", strict, servertest.Request("OPTIONS", "/", "", ask[0], "Origin: https://b.example:8443", ask[1]), 200, true, mine()},

		{"request", strict, servertest.Get("/", ask[0]), 200, true, mine(readable[:3]...)},
		{"request of another origin", strict, servertest.Get("/", "Origin: https://evil.example"), 200, true, mine()},
		{"request of no page", strict, servertest.Get("/"), 200, true, mine()},
		{"request of nobody", strict, servertest.Get("/", "Origin: null"), 200, true, mine()},
		{"request for everyone", open, servertest.Get("/", ask[0]), 200, true, []string{"Allow-Origin: *", "Vary: accept"}},
		{"request without a policy", nil, servertest.Get("/", ask[0]), 200, true, guests},

		{"405", strict, servertest.Request("PUT", "/fixed", "", ask[0], "Content-Length: 0"), 405, false, readable},
		{"413", strict, servertest.Request("POST", "/small", strings.Repeat("x", 65), ask[0], "Content-Length: 65"), 413, false, readable},
		{"502", strict, servertest.Get("/fails", ask[0]), 502, true, readable},
		{"500 after a panic", strict, servertest.Get("/panics", ask[0]), 500, true, readable},
		{"404 where nothing is", strict, servertest.Get("/nothing", ask[0]), 404, false, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			woken := false
			answer := reply(200, "", abi.Pair{Name: "access-Control-allow-Origin", Value: "guest's"},
				abi.Pair{Name: "Access-Control-Allow-Methods", Value: "guest's"}, abi.Pair{Name: "vary", Value: "accept"})
			addr := publicFor(t, func(inv *invoke.Invocation) (dispatch.Result, error) {
				woken = true
				switch inv.Request.Head.Path {
				case "/fails":
					return failing(trace.Aborted, fault.New(fault.Trap, "", ""))(inv)
				case "/panics":
					panic("bug")
				}
				return answer(inv)
			}, withPolicy(tc.policy))
			resp := servertest.RoundTrip(t, addr, tc.raw)
			if resp.StatusCode != tc.status || woken != tc.woken {
				t.Errorf("status %d, the guest was called: %t; want %d, %t", resp.StatusCode, woken, tc.status, tc.woken)
			}
			if diff := cmp.Diff(tc.want, corsFields(resp.Header)); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
			if resp.Header.Get("X-Request-Id") == "" {
				t.Error("no request id")
			}
		})
	}
}
