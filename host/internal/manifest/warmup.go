package manifest

import (
	"strings"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/field"
	"github.com/wasmoor/wasmoor/abi/pattern"
)

// Bounds of warm-up requests. They run one after another before a version
// serves.
const (
	MaxWarmups    = 16
	MaxWarmupBody = 64 << 10
)

// Warmup is a request that a version handles before it serves, so that what its
// guest does once only is done then. It has no effects.
type Warmup struct {
	Head abi.RequestHead // without what only a connection has
	Body string
}

// warmups reads [[warmup]]. A request must be one that the routes let through:
// what never reaches the guest warms nothing.
func (r *reader) warmups(root Table, routes []Route) []Warmup {
	tables := root.tables("warmup")
	if len(tables) > MaxWarmups {
		root.Fail("warmup", "%d requests are above the maximum of %d", len(tables), MaxWarmups)
		return nil
	}
	var patterns pattern.Set[string]
	for _, route := range routes {
		if p, err := pattern.Parse(route.Pattern); err == nil {
			_ = patterns.Add(p, route.Pattern) // a conflict has been noted with the routes
		}
	}
	var list []Warmup
	for _, t := range tables {
		t.only("request", "headers", "body")
		var w Warmup
		w.Body, _ = t.String("body")
		if len(w.Body) > MaxWarmupBody {
			t.Fail("body", "%d bytes are above the maximum of %d", len(w.Body), MaxWarmupBody)
		}
		w.Head.BodySize = uint64(len(w.Body))
		w.Head.Headers = t.headers("headers")
		w.Head.Scheme, w.Head.Host, w.Head.Remote = "http", "localhost", "127.0.0.1"
		t.request(&w.Head, routes, &patterns)
		list = append(list, w)
	}
	return list
}

// request reads the key "request", like "GET /items/1?full=yes", and finds the
// route it takes.
func (t Table) request(h *abi.RequestHead, routes []Route, patterns *pattern.Set[string]) {
	const key = "request"
	text, ok := t.String(key)
	if !t.Has(key) {
		t.Fail(key, `it is missing; write e.g. request = "GET /items/1"`)
	}
	if !ok {
		return
	}
	method, target, found := strings.Cut(text, " ")
	if !found || !field.IsToken(method) || !strings.HasPrefix(target, "/") || strings.ContainsFunc(target, notVisible) {
		t.Fail(key, `%q is not a request; write a method and a path below the mount, like "GET /items/1?full=yes"`, shorten(text))
		return
	}
	h.Method, h.Trigger = method, abi.TriggerHTTP
	h.Path, h.Query, _ = strings.Cut(target, "?")
	if len(routes) == 0 {
		return
	}
	m, ok := patterns.Match(h.Method, "", h.Path, nil)
	if !ok {
		t.Fail(key, "no route of the manifest answers %s %s", h.Method, shorten(h.Path))
		return
	}
	h.Pattern, h.Params = m.Value, m.Params
}

func (t Table) headers(key string) []abi.Pair {
	t, ok := t.table(key)
	if !ok {
		return nil
	}
	var list []abi.Pair
	for _, name := range sortedKeys(t.values) {
		value, ok := t.String(name)
		switch {
		case !ok:
		case !field.IsToken(name):
			t.Fail(name, "it is not the name of a header")
		case !field.IsValue(value):
			t.Fail(name, "a header's value has no control characters")
		default:
			list = append(list, abi.Pair{Name: strings.ToLower(name), Value: value})
		}
	}
	return list
}

// notVisible reports whether c is none of the visible characters of ASCII.
func notVisible(c rune) bool { return c <= ' ' || c >= 0x7f }
