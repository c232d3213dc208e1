package field

import "strings"

// EscapeLocation returns the reference of a location as browsers read it (the URL
// standard, for http and https): outer spaces, tabs and the fragment are dropped,
// a backslash before the query is a slash, and what a URL may not have is
// escaped. So is a percent sign without two digits. What names a host stays as it
// is but for the slashes: whoever follows a location judges it.
func EscapeLocation(value string) string {
	value, _, _ = strings.Cut(value, "#")
	value = strings.TrimFunc(value, func(r rune) bool { return r <= ' ' })
	path, query, hasQuery := strings.Cut(strings.ReplaceAll(value, "\t", ""), "?")
	path = strings.ReplaceAll(path, `\`, "/")
	at := pathStart(path)
	b := append(make([]byte, 0, len(value)+16), path[:at]...)
	b = appendEscaped(b, path[at:], "\"<>^`{|}")
	if hasQuery {
		b = appendEscaped(append(b, '?'), query, `"'<>\`)
	}
	return string(b)
}

// pathStart is where the path of a reference begins.
func pathStart(reference string) int {
	at := 0
	if scheme, _, ok := strings.Cut(reference, "://"); ok && !strings.Contains(scheme, "/") {
		at = len(scheme) + 1
	}
	if !strings.HasPrefix(reference[at:], "//") {
		return at
	}
	at += 2
	if slash := strings.IndexByte(reference[at:], '/'); slash >= 0 {
		return at + slash
	}
	return len(reference)
}

// appendEscaped escapes controls, spaces, all beyond ASCII, lone percent signs
// and the bytes of special.
func appendEscaped(b []byte, s, special string) []byte {
	const digits = "0123456789ABCDEF"
	for i := range len(s) {
		c := s[i]
		if c > ' ' && c < 0x7f && strings.IndexByte(special, c) < 0 && (c != '%' || isEscape(s[i:])) {
			b = append(b, c)
			continue
		}
		b = append(b, '%', digits[c>>4], digits[c&15])
	}
	return b
}

func isEscape(s string) bool { return len(s) > 2 && isHex(s[1]) && isHex(s[2]) }

func isHex(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' }
