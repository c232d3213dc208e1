// Package pattern matches requests against the patterns of Go 1.22's
// net/http.ServeMux: the syntax of routes in manifests and in guests' routers.
// The host and the SDK both import it, so that a route means the same on both
// sides; it is a leaf above abi and keeps to strings, strconv and unicode.
//
// Syntax and precedence are those of net/http (pattern.go, routing_tree.go), and
// a test compares the two. The differences, all on purpose:
//
//   - Paths are literal. Nothing is cleaned or redirected: "/a" and "/a/" are two
//     paths, and only a pattern that ends in "/", "{$}" or "{name...}" matches the
//     second. Callers refuse or clean dot segments before they match.
//   - A pattern with an empty, "." or ".." segment is an error whatever its
//     method, and "{name}" does not match an empty segment.
//   - An encoded slash is data: "{name}" matches the segment "%2F" and "{$}" does
//     not.
//   - A host is compared in lower case.
//   - A method is in capital letters, and what other routers take for every method
//     or for a wildcard (ANY, "*", ":id", "<id>", "[id]") or for a query is an
//     error: as text it would match nothing.
//   - Control characters, blanks other than those after the method, and patterns
//     above MaxLength bytes are errors.
package pattern

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// MaxLength bounds a pattern, in bytes, and with it the depth of a Set.
const MaxLength = 1024

// Pattern is one parsed pattern, [METHOD ][HOST]/[PATH]. It is immutable.
type Pattern struct {
	text     string
	method   string // "" = any
	host     string // "" = any, else lower case
	path     string // as written, starts with "/"
	segments []segment
	names    []string // of the wildcards, in order
}

// String returns the text the pattern was parsed from.
func (p *Pattern) String() string { return p.text }

// Method returns the method; "" is any. GET stands for HEAD too.
func (p *Pattern) Method() string { return p.method }

// Host returns the host in lower case; "" is any.
func (p *Pattern) Host() string { return p.host }

// Path returns the path as written.
func (p *Pattern) Path() string { return p.path }

// WithoutHost returns the text of the pattern for every host.
func (p *Pattern) WithoutHost() string {
	if p.method == "" {
		return p.path
	}
	return p.method + " " + p.path
}

type kind byte

const (
	literal kind = iota // one segment, s is its decoded text
	wild                // {s}: one segment that is not empty
	end                 // {$}: the slash at the end
	multi               // {s...} or, with s empty, a trailing slash: all that is left
)

type segment struct {
	s    string
	kind kind
}

// SyntaxError says where a pattern breaks which rule.
type SyntaxError struct {
	Pattern string
	Offset  int    // bytes before the fault
	Rule    string // what the syntax asks for
	Write   string // the pattern that is meant, in the right form; "" = nobody can tell
}

// Error returns the pattern, the offset, the rule and what to write.
func (e *SyntaxError) Error() string {
	text := "pattern " + strconv.Quote(e.Pattern) + ": at offset " + strconv.Itoa(e.Offset) + ": " + e.Rule
	if e.Write != "" {
		text += "; write " + strconv.Quote(e.Write)
	}
	return text
}

// Parse parses a pattern as its author writes it. Its error is a *SyntaxError.
func Parse(s string) (*Pattern, error) {
	p := &Pattern{text: s}
	if at, rule := p.parseStrictly(s); rule != "" {
		return nil, &SyntaxError{Pattern: s, Offset: at, Rule: rule, Write: meant(s)}
	}
	return p, nil
}

// ParseStored parses a pattern of a version that a host has taken already. The forms
// of other routers are text there, as they were before Parse refused them: what
// serves goes on to serve.
func ParseStored(s string) (*Pattern, error) {
	p := &Pattern{text: s}
	if at, rule := p.parse(s); rule != "" {
		return nil, &SyntaxError{Pattern: s, Offset: at, Rule: rule}
	}
	return p, nil
}

// Under returns the pattern that p is below a mount, "[host]/prefix": the route
// "GET /items/{id}" under "h.example/shop" is "GET h.example/shop/items/{id}".
// The mount "" or "/" leaves p as it is.
func (p *Pattern) Under(mount string) (*Pattern, error) {
	if p.host != "" {
		return nil, &SyntaxError{Pattern: p.text, Offset: strings.Index(p.text, "/"), Rule: "a pattern under a mount has no host of its own", Write: p.WithoutHost()}
	}
	joined := strings.TrimSuffix(mount, "/") + p.path
	if p.method != "" {
		joined = p.method + " " + joined
	}
	q, err := ParseStored(joined)
	if err == nil && q.method != p.method {
		return nil, &SyntaxError{Pattern: joined, Rule: "a mount has no method"}
	}
	return q, err
}

// parseStrictly is parse, and refuses the forms of other routers too.
func (p *Pattern) parseStrictly(s string) (at int, rule string) {
	if at, rule := p.parse(s); rule != "" {
		return at, rule
	}
	if rule := checkMethod(p.method); rule != "" {
		return 0, rule
	}
	at = len(s) - len(p.path)
	for segment := range strings.SplitSeq(p.path[1:], "/") {
		at++
		if off, rule := checkLiteral(segment); rule != "" {
			return at + off, rule
		}
		at += len(segment)
	}
	return 0, ""
}

func (p *Pattern) parse(s string) (at int, rule string) {
	if at, rule := checkText(s); rule != "" {
		return at, rule
	}
	at = p.parseMethod(s)
	switch {
	case !isToken(p.method):
		return 0, checkMethod(p.method)
	case at > 0 && p.method == "":
		return 0, "a pattern starts with a method or with '/'"
	}
	if i := strings.IndexAny(s[at:], " \t"); i >= 0 {
		return at + i, "a blank stands between method and path only; elsewhere it is written as %20"
	}
	slash := strings.IndexByte(s[at:], '/')
	if slash < 0 {
		return at, "a path starts with '/'"
	}
	if i := strings.Index(s[at:], "://"); i >= 0 && i < slash {
		return at, "a pattern is no URL: it starts with a path"
	}
	host := s[at : at+slash]
	if i := strings.IndexByte(host, '{'); i >= 0 {
		return at + i, "a host has no wildcard; a path starts with '/'"
	}
	p.host = strings.ToLower(host)
	p.path = s[at+slash:]
	off, rule := p.parsePath(p.path)
	return at + slash + off, rule
}

func checkText(s string) (at int, rule string) {
	if s == "" {
		return 0, "a pattern is not empty"
	}
	if len(s) > MaxLength {
		return MaxLength, "a pattern has at most " + strconv.Itoa(MaxLength) + " bytes"
	}
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return i, "a control character is written as %XX"
		}
	}
	return 0, ""
}

// parseMethod sets the method, if there is one, and returns where the rest starts.
func (p *Pattern) parseMethod(s string) int {
	i := strings.IndexAny(s, " \t")
	if i < 0 {
		return 0
	}
	p.method = s[:i]
	return len(s) - len(strings.TrimLeft(s[i:], " \t"))
}

// isToken reports whether s is empty or a token (RFC 9110, 5.6.2), as methods are.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		alnum := c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9'
		if !alnum && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return true
}

// checkMethod returns what is wrong with a method, "" = nothing. Every method in use
// is in capital letters.
func checkMethod(s string) string {
	switch {
	case isAny(upper(s)):
		return "a pattern without a method is for every method"
	case strings.ContainsAny(s, ",|"):
		return "a pattern has one method; write one pattern for each"
	}
	for i := range len(s) {
		if c := s[i]; (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return "a method has capital letters, like GET"
		}
	}
	return ""
}

// parsePath reads the segments of path, which starts with "/". The offset it
// returns is within path.
func (p *Pattern) parsePath(path string) (at int, rule string) {
	for at < len(path) {
		at++ // the slash
		text, _, more := strings.Cut(path[at:], "/")
		switch {
		case text == "" && !more:
			p.segments = append(p.segments, segment{kind: multi})
			return at, ""
		case text == "" || text == "." || text == "..":
			return at, "a segment is not empty, '.' or '..'"
		}
		if off, rule := p.parseSegment(text, more); rule != "" {
			return at + off, rule
		}
		at += len(text)
	}
	return at, ""
}

// parseSegment appends the segment text stands for; more says that a slash
// follows it.
func (p *Pattern) parseSegment(text string, more bool) (at int, rule string) {
	brace := strings.IndexByte(text, '{')
	switch {
	case brace < 0:
		p.segments = append(p.segments, segment{s: unescape(text), kind: literal})
		return 0, ""
	case brace > 0:
		return brace, "a wildcard is a whole segment: '{' follows '/'"
	case text[len(text)-1] != '}':
		return len(text), "a wildcard is a whole segment: it ends with '}'"
	}
	name := text[1 : len(text)-1]
	if name == "$" {
		if more {
			return 0, "{$} is the end of a pattern"
		}
		p.segments = append(p.segments, segment{kind: end})
		return 0, ""
	}
	name, rest := strings.CutSuffix(name, "...")
	k := wild
	if rest {
		k = multi
	}
	if rest && more {
		return 0, "{name...} is the end of a pattern"
	}
	if !isIdentifier(name) {
		return 1, "a wildcard's name has letters, digits and '_' and starts with no digit"
	}
	if slices.Contains(p.names, name) {
		return 1, "a wildcard's name is used once"
	}
	p.names = append(p.names, name)
	p.segments = append(p.segments, segment{s: name, kind: k})
	return 0, ""
}

// checkLiteral finds what other routers take for a wildcard, and net/http for
// text that hardly a request ever has.
func checkLiteral(text string) (at int, rule string) {
	if text == "" || text[0] == '{' {
		return 0, "" // no literal
	}
	const written = "a wildcard is a whole segment, {name}, or {name...} for the rest of a path"
	i := strings.IndexAny(text, "*<>?#")
	switch {
	case text[0] == ':':
		return 0, written + "; a ':' that starts a segment is written as %3A"
	case text[0] == '[' && text[len(text)-1] == ']':
		return 0, written + "; a '[' that starts a segment is written as %5B"
	case i < 0:
		return 0, ""
	case text[i] == '?' || text[i] == '#':
		return i, "a pattern has no query: it matches the path alone"
	case text[i] == '*':
		return i, written + "; a '*' of the path is written as %2A"
	default:
		return i, written
	}
}

func isIdentifier(s string) bool {
	for i, c := range s {
		if !unicode.IsLetter(c) && c != '_' && (i == 0 || !unicode.IsDigit(c)) {
			return false
		}
	}
	return s != ""
}
