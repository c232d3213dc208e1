package pattern

import (
	"net/http"
	"path"
	"strings"
	"testing"
)

// FuzzParse checks Parse against net/http, up to the documented differences.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"/", "GET /", "GET h/a/{x}/{rest...}", "/a/{$}", "POST /a/", "/{}", "/{a}/{a}", "a", "//", "/a/../b",
		"/%2F", "/%zz", "G T /", " /", "/{x", "/x}", "/{größe}", "/\x00", "/{$}/", "/{...}", " / 0", "GET /a b", "get /a", "/:id", "/*", "/[id]", "h://a",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := Parse(s)
		refused := newComparison(t).addToMux(s)
		if err == nil && refused != nil {
			t.Fatalf("Parse(%q) succeeds; net/http: %v", s, refused)
		}
		if err != nil {
			if refused == nil && !differsOnPurpose(s) {
				t.Fatalf("%v; net/http takes it", err)
			}
			return
		}
		again, err := Parse(p.String())
		if err != nil || Compare(p, again) != Equal || again.Host() != p.Host() || Conflict(p, again) == "" {
			t.Fatalf("Parse(%q) is not the same again: %v", s, err)
		}
		if under, err := p.Under(""); p.Host() == "" && (err != nil || Compare(p, under) != Equal) {
			t.Fatalf("%q under the root = %v, %v", s, under, err)
		}
	})
}

const methodBytes = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~"

func differsOnPurpose(s string) bool {
	if len(s) > MaxLength || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return true
	}
	method, _, found := strings.Cut(s, " ")
	if found && checkMethod(method) != "" || strings.Contains(s, "://") {
		return true
	}
	_, rest, _ := strings.Cut(s, "/")
	if s[0] == ' ' || strings.Contains(strings.TrimLeft(strings.TrimLeft(s, methodBytes), " "), " ") {
		return true
	}
	for segment := range strings.SplitSeq(strings.TrimSuffix(rest, "/"), "/") {
		if segment == "." || segment == ".." || segment == "" || firstRule(checkLiteral(segment)) != "" {
			return true
		}
	}
	return false
}

func firstRule(_ int, rule string) string { return rule }

// FuzzMatch builds two patterns and one request and compares with net/http.
func FuzzMatch(f *testing.F) {
	f.Add("GET /a/{x}", "/a/b", "GET", "", "/a/b")
	f.Add("GET h/{x...}", "POST /a/", "HEAD", "h", "/a/%20/b")
	f.Add("/a/{$}", "/a/{x}/", "PUT", "g", "/a//")
	f.Add("/{a}/{b}/c", "/{a}/b/{c}", "GET", "", "/x/%zz/c")
	f.Add("/%2F", "/{$}", "GET", "", "/%2F")
	f.Fuzz(func(t *testing.T, first, second, method, host, target string) {
		c := newComparison(t)
		for _, s := range []string{first, second} {
			if p, err := Parse(s); err == nil && !hasEncodedSlash(s) && strings.Contains(s, p.Host()+p.Path()) {
				c.add(s)
			}
		}
		m, ok := c.set.Match(method, host, target, nil)
		if ok && (m.Value != first && m.Value != second) {
			t.Fatalf("Match found %q", m.Value)
		}
		c.set.Allowed(host, target)
		if routedAsIs(method, host, target) {
			c.request(method, host, target)
		}
	})
}

// routedAsIs reports whether net/http routes the request by the target itself.
func routedAsIs(method, host, target string) bool {
	return method != http.MethodConnect && method != "" && !strings.Contains(host, ":") &&
		strings.HasPrefix(target, "/") && !strings.Contains(target, "//") &&
		(path.Clean(target) == target || path.Clean(target)+"/" == target) &&
		!hasEncodedSlash(target)
}

func hasEncodedSlash(s string) bool { return strings.Contains(strings.ToUpper(s), "%2F") }
