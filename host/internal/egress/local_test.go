package egress

import (
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/abi"
)

// TestIsLocal: whatever a resolver might take for a name below wasmoor.internal is one.
func TestIsLocal(t *testing.T) {
	for url, want := range map[string]bool{
		"http://a.wasmoor.internal":             true,
		"http://a.wasmoor.internal/x?y#z":       true,
		"https://A.WASMOOR.Internal:8443/":      true,
		"http://a.b.wasmoor.internal./":         true,
		"http://wasmoor.internal/":              true,
		"http://u:p@a.wasmoor.internal/":        true,
		"http://a.wasmoor.internal@example.com": false,
		"http://example.com/a.wasmoor.internal": false,
		"http://example.com?a.wasmoor.internal": false,
		"http://notwasmoor.internal/":           false,
		"http://a.wasmoor.internal.example/":    false,
		"":                                      false,
		"http://[::1]:80/":                      false,
	} {
		if got := IsLocal(url); got != want {
			t.Errorf("%s: %v", url, got)
		}
	}
}

func TestReadLocal(t *testing.T) {
	l, why := ReadLocal(&abi.HTTPRequest{URL: "http://Stock.wasmoor.internal/a%20b?c=d#e", Headers: []abi.Pair{
		{Name: "X-One", Value: "1"},
		{Name: "Host", Value: "shop.example"},
		{Name: "X-Forwarded-For", Value: "1.2.3.4"},
		{Name: "Forwarded", Value: "for=1.2.3.4"},
		{Name: "X-Real-IP", Value: "1.2.3.4"},
		{Name: "Connection", Value: "keep-alive"},
		{Name: "Content-Length", Value: "3"},
	}}, "shop.example")
	if why != "" || l.Method != "GET" || l.Host != "stock.wasmoor.internal" || l.Path != "/a%20b" || l.Query != "c=d" {
		t.Errorf("%+v, %q", l, why)
	}
	if len(l.Header) != 1 || l.Header[0] != (abi.Pair{Name: "x-one", Value: "1"}) {
		t.Errorf("the callee gets %v", l.Header)
	}
	if l.WrongLength(3) != "" || l.WrongLength(4) == "" {
		t.Error("the length that was announced is not compared")
	}
	for url, want := range map[string]string{
		"https://a.wasmoor.internal/":     "without a port",
		"http://a.wasmoor.internal:81/":   "without a port",
		"http://a.wasmoor.internal./":     "ends in a dot",
		"http://a.wasmoor.internal/\\b":   "a backslash",
		"http://u@a.wasmoor.internal/":    "user information",
		"http://a%2e.wasmoor.internal/":   "cannot be read",
		"http://[a.wasmoor.internal]:80/": "cannot be read",
	} {
		if _, why := ReadLocal(&abi.HTTPRequest{URL: url}, ""); !strings.Contains(why, want) {
			t.Errorf("%s: %q, want %s", url, why, want)
		}
	}
	for _, r := range []abi.HTTPRequest{
		{URL: "http://a.wasmoor.internal/", Method: "CONNECT"},
		{URL: "http://a.wasmoor.internal/", Flags: 1 << 20},
		{URL: "http://a.wasmoor.internal/", Headers: []abi.Pair{{Name: "host", Value: "b.wasmoor.internal"}}},
	} {
		if _, why := ReadLocal(&r, ""); why == "" {
			t.Errorf("%+v is taken", r)
		}
	}
}
