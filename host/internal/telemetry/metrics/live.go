package metrics

// lives are the live answers of plugins.
func lives(s Sources) Part {
	streams := &Metric{"wasmoor_live_streams", Gauge, "Clients that follow live answers.", []string{"plugin"}}
	answers := &Metric{"wasmoor_live_answers", Gauge, "Live answers, each of which any number of clients may share.", []string{"plugin"}}
	waiting := &Metric{"wasmoor_live_waiting", Gauge, "Live answers in line to be computed.", nil}
	runs := &Metric{
		"wasmoor_live_runs_total", Counter,
		"Runs of handlers for live answers, by what became of them: changed (another answer than before), same, retried (it found no place), refused (the answer is live no more) and full (nor is it, because the answers of all take the budget live).",
		[]string{"outcome"},
	}
	sent := &Metric{"wasmoor_live_events_total", Counter, "Events for clients of live answers, those too that a newer one took the place of.", nil}
	ended := &Metric{"wasmoor_live_ended_total", Counter, "Streams of live answers that the server ended because their answer was live no more.", nil}
	entries := &Metric{"wasmoor_live_index_entries", Gauge, "Read sets that changes are compared with.", nil}
	bytes := &Metric{"wasmoor_live_index_bytes", Gauge, "About the memory that those read sets take.", nil}
	coarse := &Metric{"wasmoor_live_index_coarse_total", Counter, "Read sets that were kept with less detail for want of memory: their answers are computed more often.", nil}
	return Part{[]*Metric{streams, answers, waiting, runs, sent, ended, entries, bytes, coarse}, func(v *Values) {
		l := s.Live
		for _, of := range l.Plugins() {
			v.Put(streams, float64(of.Streams), of.Plugin)
			v.Put(answers, float64(of.Answers), of.Plugin)
		}
		t := l.Totals()
		v.Put(waiting, float64(t.Waiting))
		v.Put(runs, float64(t.States), "changed")
		v.Put(runs, float64(t.Unchanged), "same")
		v.Put(runs, float64(t.Retries), "retried")
		v.Put(runs, float64(t.Failed), "refused")
		v.Put(runs, float64(t.Full), "full")
		v.Put(sent, float64(t.Sent))
		v.Put(ended, float64(t.Ended))
		v.Put(entries, float64(t.Index.Entries))
		v.Put(bytes, float64(t.Index.Bytes))
		v.Put(coarse, float64(t.Index.Coarse))
	}}
}
