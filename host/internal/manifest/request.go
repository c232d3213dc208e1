package manifest

import (
	"slices"
	"strings"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/field"
	"github.com/wasmoor/wasmoor/abi/pattern"
)

// Request is one that the manifest writes down: the host makes it itself.
type Request struct {
	Method, Path, Query string // below the mount
	Route               int    // index of the route that it takes; -1 = there are no routes
	Pattern             string // of that route
	Params              []abi.Pair
}

// Request reads a key like "POST /queues/mail", a request that some trigger makes, which
// has no query. The route that takes it becomes private, and without routes the
// path does.
func (t Table) Request(key, example string) Request {
	to, ok := t.request(key, example)
	switch {
	case !ok:
	case to.Query != "":
		t.Fail(key, "it has a query; the handler learns all there is from attributes")
	case to.Method == "HEAD":
		t.Fail(key, "what HEAD does is dropped; write another method")
	case to.Route >= 0:
		t.reader.private = append(t.reader.private, to.Route)
	case to.Route < 0 && !isPattern(to.Method+" "+to.Path):
		t.Fail(key, "the path has characters that no route has")
	default:
		t.reader.closed = append(t.reader.closed, to.Method+" "+to.Path)
	}
	return to
}

func isPattern(text string) bool {
	_, err := pattern.Parse(text)
	return err == nil && !strings.ContainsAny(text, "{}")
}

// request reads a method and a path below the mount, which the routes let through: what
// never reaches the guest is no use.
func (t Table) request(key, example string) (to Request, ok bool) {
	text, ok := t.String(key)
	if !t.Has(key) {
		short, _, _ := strings.Cut(example, "?")
		t.Fail(key, "it is missing; write e.g. %s = %q", key, short)
	}
	if !ok {
		return to, false
	}
	method, target, found := strings.Cut(text, " ")
	if !found || !t.reader.stored && method != strings.ToUpper(method) || !field.IsToken(method) || !strings.HasPrefix(target, "/") || strings.ContainsFunc(target, notVisible) {
		t.Fail(key, `%q is not a request, a method and a path below the mount%s`, shorten(text), t.write(key, requestMeant(text, example)))
		return to, false
	}
	to.Method, to.Route = method, -1
	to.Path, to.Query, _ = strings.Cut(target, "?")
	if len(t.reader.listed) == 0 {
		return to, true
	}
	m, ok := t.reader.patterns.Match(to.Method, "", to.Path, nil)
	if !ok {
		t.Fail(key, "no route of the manifest answers %s %s", to.Method, shorten(to.Path))
		return to, false
	}
	to.Route, to.Params = m.Value, m.Params
	to.Pattern = t.reader.listed[to.Route].Pattern
	return to, true
}

// route keeps the routes, for the requests that the manifest writes down.
func (r *reader) route(routes []Route) {
	r.listed = routes
	for i, route := range routes {
		if p, err := pattern.ParseStored(route.Pattern); err == nil {
			_ = r.patterns.Add(p, i) // a conflict has been noted with the routes
		}
	}
}

// close makes private what a trigger reaches.
func (r *reader) close(m *Manifest) {
	for _, i := range r.private {
		m.Routes[i].Private = true
	}
	m.closed = r.closed
}

// Match returns what a request below the mount leads to, the private routes and those of
// triggers among it. ok is false where nothing takes it; allow are the methods that
// something would take at the path, nil = none.
func (m *Manifest) Match(method, path string) (to Request, allow []string, ok bool) {
	to = Request{Method: method, Path: path, Route: -1}
	if len(m.Routes) == 0 {
		return to, nil, true
	}
	found, ok := m.patterns.Match(method, "", path, nil)
	if !ok {
		return to, m.patterns.Allowed("", path), false
	}
	to.Route, to.Params, to.Pattern = found.Value, found.Params, m.Routes[found.Value].Pattern
	return to, nil, true
}

// Closed returns what the public listener has no way to: patterns of the routes that
// are private, or without routes requests below the mount.
func (m *Manifest) Closed() []string { return append(slices.Clip(m.closed), m.Private()...) }

// Private returns the patterns of the routes that are private.
func (m *Manifest) Private() (patterns []string) {
	for _, r := range m.Routes {
		if r.Private {
			patterns = append(patterns, r.Pattern)
		}
	}
	return patterns
}

// requestMeant returns the request that a text was meant as.
func requestMeant(text, example string) string {
	method, target := "GET", text
	if before, after, found := strings.Cut(text, " "); found && field.IsToken(before) {
		method, target = strings.ToUpper(before), after
	}
	if !strings.HasPrefix(target, "/") || strings.ContainsFunc(target, notVisible) {
		return quoteShort(example)
	}
	return quoteShort(method + " " + target)
}

// notVisible reports whether c is none of the visible characters of ASCII.
func notVisible(c rune) bool { return c <= ' ' || c >= 0x7f }
