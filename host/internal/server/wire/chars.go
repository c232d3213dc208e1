package wire

import "net/netip"

// Character classes of RFC 3986 and RFC 9110, over bytes: what arrives is not
// known to be text.

// authoritySet holds what a host name, an IP literal and a port are made of. No
// "@": a user in a Host is somebody's trick. No "%": a name needs none, and a
// zone belongs to one machine.
var authoritySet = setOf("-._~!$&'()*+,;=:[]0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")

func setOf(chars string) (set [256]bool) {
	for i := range len(chars) {
		set[chars[i]] = true
	}
	return set
}

// IsAuthority reports whether b is a host with an optional port.
func IsAuthority(b []byte) bool {
	if len(b) > 255+len(":65535") {
		return false
	}
	for _, c := range b {
		if !authoritySet[c] {
			return false
		}
	}
	host, port := splitPort(b)
	if len(host) == 0 || !isPort(port) {
		return false
	}
	return isIPLiteral(host) || !hasAny(host, ":[]")
}

// isPort reports whether b is a port, or what stands for none.
func isPort(b []byte) bool {
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
		n = n*10 + int(c-'0')
	}
	return len(b) <= len("65535") && n <= 65535
}

// splitPort cuts the port off an authority.
func splitPort(b []byte) (host, port []byte) {
	for i := len(b) - 1; i >= 0 && b[i] != ']'; i-- {
		if b[i] == ':' {
			return b[:i], b[i+1:]
		}
	}
	return b, nil
}

// isIPLiteral reports whether host is an IPv6 address in brackets: no other kind
// of literal is in use (RFC 3986 §3.2.2).
func isIPLiteral(host []byte) bool {
	n := len(host)
	if n <= 2 || host[0] != '[' || host[n-1] != ']' {
		return false
	}
	ip, err := netip.ParseAddr(string(host[1 : n-1]))
	return err == nil && ip.Is6()
}

func hasAny(b []byte, chars string) bool {
	for _, c := range b {
		for i := range len(chars) {
			if c == chars[i] {
				return true
			}
		}
	}
	return false
}

// equalFold compares b with lower, which is in lower case. ASCII only.
func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if LowerByte(c) != lower[i] {
			return false
		}
	}
	return true
}

// LowerByte returns c in lower case, if it is an upper case ASCII letter.
func LowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// TrimOWS cuts optional white space (RFC 9110 §5.6.3) off both ends.
func TrimOWS(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for n := len(b); n > 0 && (b[n-1] == ' ' || b[n-1] == '\t'); n = len(b) {
		b = b[:n-1]
	}
	return b
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	}
	return c - 'a' + 10
}
