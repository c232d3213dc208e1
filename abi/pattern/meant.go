package pattern

import "strings"

// meant returns the pattern that the author of s most likely means, who knows
// the syntax of another router: ":id", "*path", "{id:[0-9]+}", "<int:id>",
// "[id]", a method in small letters, a whole URL. It returns "" where there is
// no telling. It is a part of each guest with a router, so it is kept small.
func meant(s string) string {
	if len(s) > MaxLength {
		return ""
	}
	s = strings.TrimSpace(s)
	at := 0
	for at < len(s) && s[at] != ' ' && s[at] != '\t' && s[at] != '/' {
		at++
	}
	method, path := upper(s[:at]), s[at:]
	switch {
	case at == len(s) && checkMethod(s) != "", at < len(s) && s[at] == '/':
		method, path = "", s
	case isAny(method):
		method = ""
	case method != "":
		method += " "
	}
	written := method + meantPath(strings.TrimSpace(path))
	if _, rule := new(Pattern).parseStrictly(written); rule != "" {
		return ""
	}
	return written
}

// isAny reports whether other routers write every method like this.
func isAny(method string) bool { return method == "*" || method == "ANY" || method == "ALL" }

// upper is strings.ToUpper without the tables of Unicode.
func upper(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'a' && c <= 'z' {
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b)
}

// meantPath splits a path at the slashes that stand in no brackets, where a
// regular expression may have some, and leaves out what a URL has around it.
func meantPath(path string) (written string) {
	if _, rest, ok := strings.Cut(path, "://"); ok {
		_, path, _ = strings.Cut(rest, "/")
	}
	path = strings.TrimPrefix(path, "/")
	start, depth := 0, 0
	for i := 0; i <= len(path); i++ {
		c := byte('#')
		if i < len(path) {
			c = path[i]
		}
		switch c {
		case '{', '(', '[', '<':
			depth++
		case '}', ')', ']', '>':
			depth--
		case '?':
			if depth > 0 || path[start] == ':' {
				continue
			}
			return written + meantSegment(path[start:i], true)
		case '#':
			return written + meantSegment(path[start:i], true)
		case '/':
			if depth == 0 {
				written += meantSegment(path[start:i], false)
				start = i + 1
			}
		}
	}
	return written
}

// meantSegment returns a slash and the segment, with its wildcard, if it has one,
// in the form of this package.
func meantSegment(text string, last bool) string {
	brace := strings.IndexByte(text, '{')
	if text == "" || text == "{$}" || brace < 0 && strings.IndexByte(":*<[(", text[0]) < 0 {
		return "/" + text // perhaps as wrong as it was
	}
	brace = max(0, brace)
	name := nameIn(text[brace:])
	many := text[0] == '*' || strings.HasSuffix(text, "*")
	for _, sign := range [...]string{"...", "{*", ".*", ".+", "path:", ":path"} {
		many = many || strings.Contains(text, sign) && text != sign
	}
	switch {
	case !many || !last:
		return "/{" + name + "}"
	case name == "any":
		name = "path"
	}
	return "/{" + name + "...}"
}

// nameIn returns the first identifier of a segment, with '_' for '-'; "any"
// without one. That of "<int:id>" is "id".
func nameIn(text string) string {
	if i := strings.IndexByte(text, ':'); i > 0 && text[0] == '<' {
		text = text[i:]
	}
	var name []byte
	for i := range len(text) {
		c := text[i]
		switch {
		case c == '-' && len(name) > 0:
			name = append(name, '_')
		case c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c >= 0x80 || c >= '0' && c <= '9' && len(name) > 0:
			name = append(name, c)
		case len(name) > 0:
			return string(name)
		}
	}
	if len(name) == 0 {
		return "any"
	}
	return string(name)
}
