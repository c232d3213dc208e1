package server

import (
	"fmt"
	"io"
	"unicode/utf8"
)

// escaper writes lines of JSON with the characters escaped that a terminal or a
// browser obeys and does not show: controls of C1 and of the direction of text, and
// tags. slog escapes those of ASCII only. Outside of strings JSON has no such
// characters.
type escaper struct{ io.Writer }

// Write writes a line. It returns what of it was written, which is all or nothing.
func (e escaper) Write(line []byte) (int, error) {
	next := odd(line)
	if next < 0 {
		return e.Writer.Write(line)
	}
	out, rest := make([]byte, 0, len(line)+64), line
	for ; next >= 0; next = odd(rest) {
		r, size := utf8.DecodeRune(rest[next:])
		out = appendEscape(append(out, rest[:next]...), r)
		rest = rest[next+size:]
	}
	if _, err := e.Writer.Write(append(out, rest...)); err != nil {
		return 0, err
	}
	return len(line), nil
}

// appendEscape appends r as JSON escapes it.
func appendEscape(out []byte, r rune) []byte {
	if r > 0xffff {
		r -= 0x10000
		return fmt.Appendf(out, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
	}
	return fmt.Appendf(out, `\u%04x`, r)
}

// odd returns where the first character to escape starts, or -1.
func odd(line []byte) int {
	for i, c := range line {
		if c < 0xc2 { // of ASCII, or within a character
			continue
		}
		if r, _ := utf8.DecodeRune(line[i:]); obeyed(r) {
			return i
		}
	}
	return -1
}

// obeyed reports whether a character is an order and not a picture.
func obeyed(r rune) bool {
	switch {
	case r >= 0x80 && r <= 0x9f: // C1, of which 0x9b starts an escape sequence
	case r == 0x061c, r == 0x200e, r == 0x200f: // marks of direction
	case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x206f: // embeddings, overrides, isolates
	case r == 0x00ad, r >= 0x200b && r <= 0x200d, r >= 0x2060 && r <= 0x2064, r == 0xfeff: // without a width
	case r == 0x2028, r == 0x2029: // line breaks
	case r >= 0xe0000 && r <= 0xe007f: // tags
	default:
		return false
	}
	return true
}
