// Package field holds the rules of HTTP header fields in SPEC.md, 6.1: what a
// name and a value may be made of, and which fields are the connection's.
// Whoever reads a header of a client, a guest or a service imports it; of guests,
// those with net/http.
package field

import (
	"strings"

	"github.com/wasmoor/wasmoor/abi"
)

// IsToken reports whether s is a token of RFC 9110 §5.6.2, what a header name
// and a method must be.
func IsToken[T string | []byte](s T) bool {
	for i := range len(s) {
		if !tokenChars[s[i]] {
			return false
		}
	}
	return len(s) > 0
}

// IsValue reports whether s is free of control characters other than tab (RFC
// 9110 §5.5).
func IsValue[T string | []byte](s T) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// IsHopByHop reports whether a header field belongs to the connection and not
// to the message, so that a guest can neither see nor set it: the fields of RFC
// 9110 §7.6.1 and the two that frame the body.
func IsHopByHop(name string) bool {
	for _, hop := range hopByHop {
		if len(name) == len(hop) && strings.EqualFold(name, hop) {
			return true
		}
	}
	return false
}

var hopByHop = [...]string{
	"connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization",
	"te", "trailer", "transfer-encoding", "upgrade", "content-length",
}

// Single returns the value of the field of a name in lower case, as requests
// have them, where it stands once; else "": a field that stands twice says
// nothing that everybody reads alike.
func Single(header []abi.Pair, name string) string {
	value, found := "", false
	for _, f := range header {
		if f.Name == name {
			if found {
				return ""
			}
			value, found = f.Value, true
		}
	}
	return value
}

var tokenChars = func() (set [256]bool) {
	const chars = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	for i := range len(chars) {
		set[chars[i]] = true
	}
	return set
}()

// IsForwarded reports whether a field, its name in lower case, tells where a request came
// from. No guest gets one: it would take for a fact what anybody may write.
func IsForwarded(name string) bool {
	return strings.HasPrefix(name, "x-forwarded-") || name == "forwarded" || name == "x-real-ip"
}
