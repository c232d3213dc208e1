package public

import (
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// from is an exchange of a client.
func from(remote string, headers ...abi.Pair) *exchange {
	return &exchange{remote: remote, headers: headers}
}

// TestHash: a client is the same one by what the key says, and by nothing else.
func TestHash(t *testing.T) {
	ann, bob := abi.Pair{Name: "authorization", Value: "Bearer ann"}, abi.Pair{Name: "authorization", Value: "Bearer bob"}
	user := abi.Pair{Name: "x-user", Value: "ann"}
	for _, c := range []struct {
		name string
		key  plugin.ClientKey
		a, b *exchange
		same bool
	}{
		{"one caller, two addresses", plugin.ByCaller, from("10.0.0.1", ann), from("10.0.0.2", ann), true},
		{"two callers, one address", plugin.ByCaller, from("10.0.0.1", ann), from("10.0.0.1", bob), false},
		{"no caller, one address", plugin.ByCaller, from("10.0.0.1"), from("10.0.0.1", user), true},
		{"no caller, two addresses", plugin.ByCaller, from("10.0.0.1"), from("10.0.0.2"), false},
		{"by address", plugin.ByIP, from("10.0.0.1", ann), from("10.0.0.1", bob), true},
		{"by a header", "header:x-user", from("10.0.0.1", user, ann), from("10.0.0.2", bob, user), true},
		{"without the header", "header:x-user", from("10.0.0.1", ann), from("10.0.0.2", ann), false},
	} {
		if same := c.a.Hash(c.key) == c.b.Hash(c.key); same != c.same {
			t.Errorf("%s: the same client is %v", c.name, same)
		}
		if n := testing.AllocsPerRun(10, func() { c.a.Hash(c.key) }); n != 0 {
			t.Errorf("%s: %v allocations", c.name, n)
		}
	}
}

// TestCookie: a client without one gets one, and is known by it from then on, however
// often it is looked at.
func TestCookie(t *testing.T) {
	first := from("10.0.0.1")
	side := first.Hash(plugin.ByCookie)
	if first.Hash(plugin.ByCookie) != side || first.newCookie == "" {
		t.Errorf("the second look differs; cookie %q", first.newCookie)
	}
	var ctx fasthttp.RequestCtx
	first.setCookie(&ctx)
	header := ctx.Response.Header.String()
	if !strings.Contains(header, "Set-Cookie: wasmoor-client="+first.newCookie+"; Path=/; HttpOnly; SameSite=Lax\r\n") || !strings.Contains(header, "no-store") {
		t.Errorf("the answer has %q", header)
	}
	again := from("10.0.0.9", abi.Pair{Name: "cookie", Value: "a=b; wasmoor-client=" + first.newCookie + "; c=d"})
	if again.Hash(plugin.ByCookie) != side || again.newCookie != "" {
		t.Errorf("the cookie is not known again; a new one is %q", again.newCookie)
	}
	if odd := from("10.0.0.1", abi.Pair{Name: "cookie", Value: "wasmoor-client=x"}); odd.Hash(plugin.ByCookie) == hashOf("x") || odd.newCookie == "" {
		t.Error("a cookie of another form is taken")
	}
	if plain := from("10.0.0.1"); plain.Hash(plugin.ByCaller) == 0 || plain.newCookie != "" {
		t.Error("a cookie is set that nobody asked for")
	}
}
