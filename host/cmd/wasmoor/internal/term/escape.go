package term

import (
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Escaper writes lines of JSON with the characters escaped that a terminal or a
// browser obeys and does not show: controls of C1 and of the direction of text, and
// tags. slog escapes those of ASCII only. Outside of strings JSON has no such
// characters.
type Escaper struct{ io.Writer }

// Write writes a line. It returns what of it was written, which is all or nothing.
func (e Escaper) Write(line []byte) (int, error) {
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
		if r, _ := utf8.DecodeRune(line[i:]); Obeyed(r) {
			return i
		}
	}
	return -1
}

// Obeyed reports whether a character is an order and not a picture.
func Obeyed(r rune) bool {
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

// Indented is a text of several lines as a terminal may show it: line ends and tabs
// are kept, every line but the first begins with indent, and what moves the cursor or
// turns the direction of text is escaped as in Go.
func Indented(text, indent string) string {
	text = strings.TrimRight(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	return strings.ReplaceAll(escaped(text), "\n", "\n"+indent)
}

// OneLine is a text on one line: line ends are written as \n.
func OneLine(text string) string {
	text = strings.TrimRight(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	return strings.ReplaceAll(escaped(text), "\n", `\n`)
}

// painted is what Paint writes around a text.
var painted = regexp.MustCompile("\x1b\\[(0|3[1-6]|90)m")

// shown is a text that a terminal may show, with line ends and tabs, and with colours
// those of Paint.
func shown(text string, colours bool) string {
	if !colours {
		return escaped(text)
	}
	var b strings.Builder
	done := 0
	for _, at := range painted.FindAllStringIndex(text, -1) {
		b.WriteString(escaped(text[done:at[0]]) + text[at[0]:at[1]])
		done = at[1]
	}
	return b.String() + escaped(text[done:])
}

func escaped(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r == '\n' || r == '\t' || r >= ' ' && r != 0x7f && !Obeyed(r) {
			b.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRuneToASCII(r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}
