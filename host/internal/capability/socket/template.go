package socket

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
)

// Template is the request of a socket's events, of which some segments are those of the
// request that opened it.
type Template struct {
	Method, Path string // below the mount
	Route        int    // index of the route that it is; -1 = there are no routes
}

// readTemplate reads the request of the events of a socket that is declared so far.
func readTemplate(t manifest.Table, d *Declared) (to Template, ok bool) {
	const key = "request"
	text, route, ok := t.Pattern(key)
	if !ok {
		return to, false
	}
	method, path, found := strings.Cut(text, " ")
	path = strings.TrimLeft(path, " \t")
	if !found || method == "HEAD" || text == d.Pattern {
		t.Fail(key, `it is not a request of its own, a method and a path below the mount; write e.g. "POST /rooms/{id}/events"`)
		return to, false
	}
	has := placeholders(d.Pattern)
	for _, name := range placeholders(path) {
		if !slices.Contains(has, name) {
			t.Fail(key, "the pattern of the socket has no {%s}", name)
			return to, false
		}
	}
	t.Close(text, route)
	return Template{method, path, route}, true
}

var placeholder = regexp.MustCompile(`\{([A-Za-z_][A-Za-z0-9_]*)(\.\.\.)?\}`)

func placeholders(path string) (names []string) {
	for _, m := range placeholder.FindAllStringSubmatch(path, -1) {
		names = append(names, m[1])
	}
	return names
}

// Fill returns the request with path values, and those that it has; false where one is
// missing.
func (to *Template) Fill(params []abi.Pair) (r manifest.Request, ok bool) {
	r = manifest.Request{Method: to.Method, Route: to.Route}
	if to.Route >= 0 {
		r.Pattern = to.Method + " " + to.Path
	}
	ok = true
	r.Path = placeholder.ReplaceAllStringFunc(strings.TrimSuffix(to.Path, "{$}"), func(hole string) string {
		name, rest := strings.CutSuffix(hole[1:len(hole)-1], "...")
		i := slices.IndexFunc(params, func(p abi.Pair) bool { return p.Name == name })
		if i < 0 {
			ok = false
			return ""
		}
		if to.Route >= 0 {
			r.Params = append(r.Params, params[i])
		}
		if !rest {
			return url.PathEscape(params[i].Value)
		}
		segments := strings.Split(params[i].Value, "/")
		for i := range segments {
			segments[i] = url.PathEscape(segments[i])
		}
		return strings.Join(segments, "/")
	})
	return r, ok
}
