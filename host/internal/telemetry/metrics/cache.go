package metrics

// kept are the answers that the cache keeps.
func kept(s Sources) Part {
	entries := &Metric{"wasmoor_cache_entries", Gauge, "Answers that the cache keeps.", []string{"plugin"}}
	bytes := &Metric{"wasmoor_cache_bytes", Gauge, "About the memory that those answers take, with what is known of their reads.", []string{"plugin"}}
	requests := &Metric{
		"wasmoor_cache_requests_total", Counter,
		"Requests for routes with a cache, by what became of them: hit, stale (a hit whose time was over, while a run made it anew), shared (got the answer of an equal request that ran), kept (ran, and left its answer) and passed (ran, and left none).",
		[]string{"plugin", "route", "outcome"},
	}
	ended := &Metric{
		"wasmoor_cache_ended_total", Counter,
		"Answers that the cache keeps no more, by reason: change (of what they rest on), time, room, version (another serves) and answer (a newer one).",
		[]string{"plugin", "route", "reason"},
	}
	return Part{[]*Metric{entries, bytes, requests, ended}, func(v *Values) {
		for _, of := range s.Cache() {
			v.Put(entries, float64(of.Entries), of.Plugin)
			v.Put(bytes, float64(of.Bytes), of.Plugin)
			for _, r := range of.Routes {
				v.Put(requests, float64(r.Hits), of.Plugin, r.Pattern, "hit")
				v.Put(requests, float64(r.Stale), of.Plugin, r.Pattern, "stale")
				v.Put(requests, float64(r.Shared), of.Plugin, r.Pattern, "shared")
				v.Put(requests, float64(r.Kept), of.Plugin, r.Pattern, "kept")
				v.Put(requests, float64(r.Passed), of.Plugin, r.Pattern, "passed")
				for reason, n := range r.Ended {
					v.Put(ended, float64(n), of.Plugin, r.Pattern, reason)
				}
			}
		}
	}}
}
