package manifest

import (
	"strings"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/field"
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
func (r *reader) warmups(root Table) []Warmup {
	tables := root.tables("warmup", "request")
	if len(tables) > MaxWarmups {
		root.Fail("warmup", "%d requests are above the maximum of %d", len(tables), MaxWarmups)
		return nil
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
		if to, ok := t.request("request", "GET /items/1?full=yes"); ok {
			w.Head.Trigger = abi.TriggerHTTP
			w.Head.Method, w.Head.Path, w.Head.Query, w.Head.Pattern, w.Head.Params = to.Method, to.Path, to.Query, to.Pattern, to.Params
		}
		list = append(list, w)
	}
	return list
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
