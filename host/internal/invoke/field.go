package invoke

import "strings"

// IsToken reports whether s is a token of RFC 9110 §5.6.2, what a header name
// and a method must be.
func IsToken(s string) bool {
	for i := range len(s) {
		if !tokenChars[s[i]] {
			return false
		}
	}
	return s != ""
}

// IsFieldValue reports whether s is free of control characters other than tab
// (RFC 9110 §5.5).
func IsFieldValue(s string) bool {
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
		if strings.EqualFold(name, hop) {
			return true
		}
	}
	return false
}

var hopByHop = [...]string{
	"connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization",
	"te", "trailer", "transfer-encoding", "upgrade", "content-length",
}

var tokenChars = func() (set [256]bool) {
	const chars = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	for i := range len(chars) {
		set[chars[i]] = true
	}
	return set
}()
