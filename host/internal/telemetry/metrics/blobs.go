package metrics

// blobs is what the place of plugins' blobs has, and the uploads that wait for the rest.
func blobs(s Sources) Part {
	count := &Metric{"wasmoor_blobs", Gauge, "Blobs that the last sweep found and left: that a name has, and that none has.", []string{"state"}}
	size := &Metric{"wasmoor_blobs_bytes", Gauge, "Bytes of them.", []string{"state"}}
	open := &Metric{"wasmoor_blobs_charged_bytes", Gauge, "Bytes that plugins are charged for and no name counts: written or without a durable name yet (new), and of names that are gone (old).", []string{"state"}}
	missing := &Metric{"wasmoor_blobs_missing", Gauge, "Blobs that have a name and whose bytes the last sweep did not find.", nil}
	moved := &Metric{"wasmoor_blobs_transferred_bytes_total", Counter, "Bytes of blobs that were stored (put), and asked for (get).", []string{"direction"}}
	failed := &Metric{"wasmoor_blobs_failures_total", Counter, "Times that the place of the blobs failed.", nil}
	removed := &Metric{"wasmoor_blobs_removed_total", Counter, "Blobs that sweeps removed.", nil}
	unswept := &Metric{"wasmoor_blobs_sweep_failures_total", Counter, "Sweeps that failed; another comes in an hour.", nil}
	last := &Metric{"wasmoor_blobs_last_sweep_timestamp_seconds", Gauge, "When the last sweep ended well; 0 while none has.", nil}
	uploads := &Metric{"wasmoor_uploads_open", Gauge, "Resumable uploads that were begun and that no plugin has taken.", nil}
	return Part{[]*Metric{count, size, open, missing, moved, failed, removed, unswept, last, uploads}, func(v *Values) {
		st := s.Blobs()
		v.Put(count, float64(st.Blobs-st.Unnamed), "named")
		v.Put(count, float64(st.Unnamed), "unnamed")
		v.Put(size, float64(st.Bytes-st.UnnamedBytes), "named")
		v.Put(size, float64(st.UnnamedBytes), "unnamed")
		v.Put(open, float64(st.Place.OpenBytes), "new")
		v.Put(open, float64(st.Place.LostBytes), "old")
		v.Put(missing, float64(st.Missing))
		v.Put(moved, float64(st.Place.PutBytes), "put")
		v.Put(moved, float64(st.Place.GetBytes), "get")
		v.Put(failed, float64(st.Place.Failures))
		v.Put(removed, float64(st.Removed))
		v.Put(unswept, float64(st.Failures))
		if st.At.IsZero() {
			v.Put(last, 0)
		} else {
			v.Put(last, float64(st.At.Unix()))
		}
		v.Put(uploads, float64(s.Uploads()))
	}}
}
