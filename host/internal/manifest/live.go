package manifest

import "github.com/wasmoor/wasmoor/host/internal/limit"

// CacheIgnores are what may differ from what a handler has looked at when its answer is
// given again.
type CacheIgnores struct{ Calls, Clock, Random bool }

// kept reads whether the answers of a route are live, and whether they are kept: what they
// rest on is known of the store alone.
func (r *reader) kept(root, t Table, route *Route) {
	const live, cache, ignores = "live", "cache", "cache_ignores"
	route.Live = t.Bool(live)
	set(&route.Cache)(t.Duration(cache, limit.MaxCacheAge))
	words := map[string]*bool{"calls": &route.CacheIgnores.Calls, "clock": &route.CacheIgnores.Clock, "random": &route.CacheIgnores.Random}
	for i, word := range t.Strings(ignores) {
		if is := words[word]; is != nil {
			*is = true
		} else {
			t.FailAt(ignores, i, `it must be "calls", "clock" or "random"`)
		}
	}
	switch {
	case t.Has(ignores) && !t.Has(cache):
		t.Fail(ignores, "it is for routes with cache, which says how long answers are kept")
	case route.Live && t.Has(cache):
		t.Fail(cache, "live answers are shared already; leave one of both out")
	}
	key := live
	if t.Has(cache) {
		key = cache
	} else if !route.Live {
		return
	}
	switch mode, _ := root.values["isolation"].(string); {
	case route.Pattern == "":
	case methodOf(route.Pattern) != "GET":
		t.Fail(key, "it is for GET alone; write the pattern as \"GET /path\"")
	case t.Bool("private"):
		t.Fail(key, "a private route has no clients that could ask for it")
	case mode == "instance":
		t.Fail(key, `with isolation = "instance" an answer may rest on the memory of an instance, and nothing tells when that changes`)
	}
}
