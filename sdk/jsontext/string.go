package jsontext

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// unquote returns the text for which the inside of a valid JSON string stands.
func unquote(raw string) string {
	if utf8.ValidString(raw) && strings.IndexByte(raw, '\\') < 0 {
		return raw
	}
	b := make([]byte, 0, len(raw)+2*utf8.UTFMax)
	for i := 0; i < len(raw); {
		switch c := raw[i]; {
		case c == '\\':
			b, i = unescape(b, raw, i+1)
		case c < utf8.RuneSelf:
			b = append(b, c)
			i++
		default:
			char, size := utf8.DecodeRuneInString(raw[i:])
			b = utf8.AppendRune(b, char)
			i += size
		}
	}
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// unescape appends what the escape sequence stands for whose backslash stands
// before raw[i], and returns where the sequence ends.
func unescape(b []byte, raw string, i int) (to []byte, end int) {
	switch c := raw[i]; c {
	case 'b':
		return append(b, '\b'), i + 1
	case 'f':
		return append(b, '\f'), i + 1
	case 'n':
		return append(b, '\n'), i + 1
	case 'r':
		return append(b, '\r'), i + 1
	case 't':
		return append(b, '\t'), i + 1
	case 'u':
	default:
		return append(b, c), i + 1
	}
	char := unicode(raw[i+1:])
	i += 5
	if utf16.IsSurrogate(char) {
		pair := utf8.RuneError
		if len(raw)-i >= 6 && raw[i] == '\\' && raw[i+1] == 'u' {
			pair = utf16.DecodeRune(char, unicode(raw[i+2:]))
		}
		if char = pair; pair != utf8.RuneError {
			i += 6
		}
	}
	return utf8.AppendRune(b, char), i
}

// unicode returns the character that four hexadecimal digits name.
func unicode(digits string) (char rune) {
	for i := range 4 {
		char = char<<4 | unhex(digits[i])
	}
	return char
}

// unhex returns the value of a hexadecimal digit, below 0 for another byte.
func unhex(c byte) rune {
	switch {
	case isDigit(c):
		return rune(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return rune(c|0x20-'a') + 10
	}
	return -1
}

// appendQuoted appends s as a JSON string that may stand in HTML, as encoding/json
// does.
func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if asIs[c] {
				i++
				continue
			}
			b = appendEscape(append(b, s[start:i]...), c)
			i++
			start = i
			continue
		}
		char, size := utf8.DecodeRuneInString(s[i:])
		if char == utf8.RuneError && size == 1 || char|1 == '\u2029' {
			b = appendUnicode(append(b, s[start:i]...), char)
			start = i + size
		}
		i += size
	}
	return append(append(b, s[start:]...), '"')
}

// appendEscape appends the escape sequence of an ASCII character.
func appendEscape(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\b':
		return append(b, '\\', 'b')
	case '\f':
		return append(b, '\\', 'f')
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	}
	return appendUnicode(b, rune(c))
}

// appendUnicode appends the escape sequence that names a character below 0x10000.
func appendUnicode(b []byte, char rune) []byte {
	const digits = "0123456789abcdef"
	return append(b, '\\', 'u', digits[char>>12], digits[char>>8&15], digits[char>>4&15], digits[char&15])
}

// asIs tells which ASCII characters stand for themselves in a string: all but
// control characters, what JSON escapes, and what a browser could take for HTML.
var asIs = func() (set [utf8.RuneSelf]bool) {
	for c := byte(' '); c < utf8.RuneSelf; c++ {
		set[c] = c != '"' && c != '\\' && c != '<' && c != '>' && c != '&'
	}
	return set
}()
