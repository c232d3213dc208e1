package sqlite

import (
	"bytes"
	"slices"
	"unicode/utf8"
)

// pattern is one of LIKE or GLOB.
type pattern []token

type token struct {
	kind   tokenKind
	char   rune
	ranges [][2]rune // of a set
	except bool      // it is of all but those
}

type tokenKind uint8

const (
	literal tokenKind = iota
	folded            // in any case, where it is of ASCII
	anyOne
	anyMany
	inSet
	never
)

// next returns the first character of text, and what follows it. A byte that is no text is
// a character of its own, and none is 0.
func next(text []byte) (rune, []byte) {
	if len(text) == 0 {
		return 0, nil
	}
	r, n := utf8.DecodeRune(text)
	if r == utf8.RuneError && n == 1 {
		r = utf8.MaxRune + 1 + rune(text[0])
	}
	return r, text[n:]
}

// untilZero returns what some functions of SQLite see of a text.
func untilZero(text []byte) []byte {
	before, _, _ := bytes.Cut(text, []byte{0})
	return before
}

// like reads a pattern of LIKE. A wildcard that is escape is none; 0 = there is no escape.
func like(text []byte, escape rune) (p pattern) {
	for r, rest := next(text); r != 0; r, rest = next(rest) {
		switch {
		case r == escape:
			r, rest = next(rest)
			if r == 0 {
				return append(p, token{kind: never})
			}
			p = append(p, token{kind: folded, char: lower(r)})
		case r == '%':
			p = append(p, token{kind: anyMany})
		case r == '_':
			p = append(p, token{kind: anyOne})
		default:
			p = append(p, token{kind: folded, char: lower(r)})
		}
	}
	return p
}

// glob reads a pattern of GLOB.
func glob(text []byte) (p pattern) {
	for r, rest := next(text); r != 0; r, rest = next(rest) {
		t := token{kind: literal, char: r}
		switch r {
		case '*':
			t.kind = anyMany
		case '?':
			t.kind = anyOne
		case '[':
			t, rest = oneOf(rest)
		}
		p = append(p, t)
	}
	return p
}

// oneOf reads a set, of which the bracket was read.
func oneOf(text []byte) (t token, rest []byte) {
	t.kind = inSet
	r, rest := next(text)
	if r == '^' {
		t.except = true
		r, rest = next(rest)
	}
	if r == ']' {
		t.ranges = append(t.ranges, [2]rune{r, r})
		r, rest = next(rest)
	}
	for before := rune(0); r != 0 && r != ']'; r, rest = next(rest) {
		if to, after := next(rest); r == '-' && to != ']' && to != 0 && before != 0 {
			t.ranges = append(t.ranges, [2]rune{before, to})
			before, rest = 0, after
			continue
		}
		t.ranges = append(t.ranges, [2]rune{r, r})
		before = r
	}
	if r == 0 {
		t.kind = never
	}
	return t, rest
}

func lower(r rune) rune {
	if r >= 'A' && r <= 'Z' {
		return r + 'a' - 'A'
	}
	return r
}

func (t *token) is(r rune) bool {
	switch t.kind {
	case literal:
		return t.char == r
	case folded:
		return t.char == lower(r)
	case anyOne:
		return true
	case inSet:
		return t.except != slices.ContainsFunc(t.ranges, func(in [2]rune) bool { return r >= in[0] && r <= in[1] })
	}
	return false
}

// match reports whether text is what the pattern says. It calls more after every few
// thousand steps, and gives up where that is false.
func (p pattern) match(text []byte, more func() bool) bool {
	at, back := 0, -1 // in the pattern; where to go on after the last wildcard for many
	var from []byte   // what that has not taken yet
	for steps := 1; ; steps++ {
		if steps%4096 == 0 && !more() {
			return false
		}
		if at < len(p) && p[at].kind == anyMany {
			at++
			back, from = at, text
			continue
		}
		if len(text) == 0 && at == len(p) {
			return true
		}
		if len(text) > 0 && at < len(p) {
			if r, rest := next(text); p[at].is(r) {
				at, text = at+1, rest
				continue
			}
		}
		if back < 0 || len(from) == 0 {
			return false
		}
		_, from = next(from)
		at, text = back, from
	}
}
