package sdk

import (
	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/sdk/internal/hostcall"
)

// Config returns the value of a name of the manifest's [config] section: what
// the operator has set, else the manifest's default. ok is false if there is
// neither.
//
// It panics outside a request: a value read during initialisation would not
// follow the operator's changes.
func Config(name string) (value string, ok bool) {
	b, status := hostcall.Read(func(buf []byte) int64 { return hostcall.ConfigGet(name, buf) })
	switch {
	case status == abi.NotFound:
		return "", false
	case status < 0:
		panic("sdk.Config " + name + ": " + status.String() + ": values are there while a request is handled, not in init functions and package variables")
	}
	return string(b), true
}

// Random fills b with random bytes fit for keys and secrets.
func Random(b []byte) { must("random_fill", hostcall.RandomFill(b)) }

// EscapeHTML escapes text for HTML, in content and in quoted attributes.
func EscapeHTML(s string) string {
	b := make([]byte, 0, len(s)+len(s)/8)
	for i := range len(s) {
		switch c := s[i]; c {
		case '&':
			b = append(b, "&amp;"...)
		case '<':
			b = append(b, "&lt;"...)
		case '>':
			b = append(b, "&gt;"...)
		case '"':
			b = append(b, "&#34;"...)
		case '\'':
			b = append(b, "&#39;"...)
		default:
			b = append(b, c)
		}
	}
	return string(b)
}

// Now returns the time in nanoseconds since 1970-01-01 UTC: time.Unix(0, n) and
// kv.TTL take it from there. Package time works in a guest too, and costs
// 0.25 MB.
func Now() int64 {
	n := hostcall.ClockNow()
	must("clock_now", n)
	return n
}
