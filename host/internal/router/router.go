// Package router decides which plugin answers a request. Package deploy builds
// its tables from everything that serves and swaps them; a table never changes.
//
// A mount owns every path at and below it, up to the next deeper mount: the
// mount is found first (with the request's host before without, then the
// deepest), and only its own patterns are asked, with the precedence of Go's
// net/http.ServeMux. So a plugin mounted at "/" with a route "GET /{code}" lives
// next to one at "/shop", and what a plugin answers does not depend on the
// patterns of those around it.
package router

import (
	"strings"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/pattern"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// Entry is a plugin that serves.
type Entry struct {
	Plugin string
	Mount  plugin.Mount
	Routes []string // patterns relative to the mount; none = the whole mount, any method
	// Closed are patterns of Routes that nothing leads to, or without Routes requests
	// below the mount.
	Closed []string
}

// WholeMount is the Route of a match with a plugin that has no routes.
const WholeMount = -1

// Match is what a request leads to.
type Match struct {
	Plugin  string     // who answers
	Route   int        // index into the entry's Routes, or WholeMount
	Pattern string     // that route; "" for the whole mount
	Params  []abi.Pair // the pattern's path values, decoded, after those of the buffer
	Mount   string     // the mount's prefix without a trailing slash; "" = the root
	Path    string     // relative to the mount, undecoded, starts with "/"
	Mounted []string   // the plugins mounted there; not to be changed
	Allow   []string   // the methods that would match, for MethodNotAllowed
}

// Result says what a look-up found.
type Result int8

// The results.
const (
	NotFound         Result = iota // no plugin answers this path
	MethodNotAllowed               // some other method would match: see Allow
	Found
)

// Table is a set of mounts and their routes. The zero Table finds nothing. It is
// immutable and safe for concurrent use.
type Table struct {
	mounts pattern.Set[*area]
}

// area is one mount and what hangs there. Several plugins may share it as long
// as all of them have routes.
type area struct {
	mount    plugin.Mount
	prefix   string
	segments int // of the prefix
	whole    *Entry
	closed   *pattern.Set[struct{}] // of whole; nil = nothing
	routes   pattern.Set[route]
	entries  []*Entry
	plugins  []string // of the entries
}

// route is one pattern of an entry.
type route struct {
	entry  *Entry
	index  int
	closed bool // it takes its requests from others, and nothing leads to it
}

// Lookup finds who answers. The host may carry a port and capital letters. The
// path is normalised (no dot segments) but undecoded, and
// without query. HEAD falls back to GET. The mount's own path stands for the
// path "/" below it, as does the one with a slash; other paths with and without
// a slash at the end are two.
//
// Unless Found, Plugin, Pattern and Params are zero; Mount, Path and Mounted are set
// if the path lies below a mount. Params is appended to params, whose room it uses:
// a hit allocates only if that is too small, a path value holds an escape, or
// the host has capital letters.
func (t *Table) Lookup(method, host, path string, params []abi.Pair) (Match, Result) {
	at, ok := t.mounts.Match("", hostname(host), path, nil)
	if !ok {
		return Match{}, NotFound
	}
	a := at.Value
	m := Match{Mount: a.prefix, Path: a.relative(path), Mounted: a.plugins}
	if a.whole != nil {
		if a.closed != nil {
			if _, is := a.closed.Match(method, "", m.Path, nil); is {
				return m, NotFound
			}
		}
		m.Plugin, m.Route, m.Params = a.whole.Plugin, WholeMount, params
		return m, Found
	}
	found, ok := a.routes.Match(method, "", m.Path, params)
	if !ok {
		if m.Allow = a.allowed(m.Path); m.Allow == nil {
			return m, NotFound
		}
		return m, MethodNotAllowed
	}
	r := found.Value
	if r.closed { // a guest that routes itself would take it by a wider pattern
		return m, NotFound
	}
	m.Plugin, m.Route, m.Pattern, m.Params = r.entry.Plugin, r.index, r.entry.Routes[r.index], found.Params
	return m, Found
}

// allowed returns the methods that lead somewhere at a path, nil for none.
func (a *area) allowed(path string) (methods []string) {
	for _, method := range a.routes.Allowed("", path) {
		if found, ok := a.routes.Match(method, "", path, nil); !ok || !found.Value.closed {
			methods = append(methods, method)
		}
	}
	return methods
}

// relative cuts the prefix off a path below the mount. It counts segments, for
// the path may spell the prefix with escapes.
func (a *area) relative(path string) string {
	for range a.segments {
		next := strings.IndexByte(path[1:], '/')
		if next < 0 {
			return "/"
		}
		path = path[1+next:]
	}
	return path
}

// hostname returns the host of an authority as mounts spell it: without port
// and final dot, in lower case.
func hostname(authority string) string {
	host := authority
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		host = host[:i]
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}
