package metrics

// shipping has no values while nothing is shipped.
func shipping(s Sources) Part {
	lag := &Metric{"wasmoor_ship_lag_seconds", Gauge, "For how long the oldest commit has waited that would not survive the machine; 0 while none waits.", nil}
	every := &Metric{"wasmoor_ship_every_seconds", Gauge, "How long that should be at most: ship_every.", nil}
	queued := &Metric{"wasmoor_ship_queued_bytes", Gauge, "Bytes of commits that wait on the disk to be shipped.", nil}
	base := &Metric{"wasmoor_ship_base_timestamp_seconds", Gauge, "When the newest base was made; 0 while there is none.", nil}
	sent := &Metric{"wasmoor_ship_bytes_total", Counter, "Bytes of commits that were shipped, without bases.", nil}
	segments := &Metric{"wasmoor_ship_segments_total", Counter, "Segments that were shipped.", nil}
	bases := &Metric{"wasmoor_ship_bases_total", Counter, "Bases that were shipped.", nil}
	again := &Metric{"wasmoor_ship_restarts_total", Counter, "Times that shipping had to begin again with a new base, as it could not keep up.", nil}
	failed := &Metric{"wasmoor_ship_failures_total", Counter, "Times that the place did not take what was shipped; it is tried again.", nil}
	return Part{[]*Metric{lag, every, queued, base, sent, segments, bases, again, failed}, func(v *Values) {
		st := s.Shipping()
		if st == nil {
			return
		}
		v.Put(lag, st.Lag.Seconds())
		v.Put(every, st.Every.Seconds())
		v.Put(queued, float64(st.Queued))
		if st.Base.IsZero() {
			v.Put(base, 0)
		} else {
			v.Put(base, float64(st.Base.Unix()))
		}
		v.Put(sent, float64(st.Bytes))
		v.Put(segments, float64(st.Segments))
		v.Put(bases, float64(st.Bases))
		v.Put(again, float64(st.Restarts))
		v.Put(failed, float64(st.Failures))
	}}
}
