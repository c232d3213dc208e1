package manifest

import (
	"time"

	"github.com/wasmoor/wasmoor/host/internal/limit"
)

// Cache says how answers of a route are given again.
type Cache struct {
	Keep time.Duration // for how long, unless something changes that they rest on; 0 = not at all
	// Stale is for how long after that, while one run makes the answer anew.
	Stale   time.Duration
	Ignores CacheIgnores
}

// CacheIgnores are what may differ from what a handler has looked at when its answer is
// given again.
type CacheIgnores struct{ Calls, Clock, Random bool }

// kept reads whether the answers of a route are live, and whether they are kept: what they
// rest on is known of the store alone.
func (r *reader) kept(root, t Table, route *Route) {
	const live, cache, ignores, stale = "live", "cache", "cache_ignores", "stale_while_revalidate"
	route.Live = t.Bool(live)
	set(&route.Cache.Keep)(t.Duration(cache, limit.MaxCacheAge))
	set(&route.Cache.Stale)(t.Duration(stale, limit.MaxCacheAge))
	ignored := &route.Cache.Ignores
	words := map[string]*bool{"calls": &ignored.Calls, "clock": &ignored.Clock, "random": &ignored.Random}
	for i, word := range t.Strings(ignores) {
		if is := words[word]; is != nil {
			*is = true
		} else {
			t.FailAt(ignores, i, `it must be "calls", "clock" or "random"`)
		}
	}
	for _, key := range []string{ignores, stale} {
		if t.Has(key) && !t.Has(cache) {
			t.Fail(key, "it is for routes with cache, which says how long answers are kept")
		}
	}
	if route.Live && t.Has(cache) {
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
