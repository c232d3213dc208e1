package metrics

// backups has no values while the server has no place for backups of its own.
func backups(s Sources) Part {
	newest := &Metric{"wasmoor_backup_last_success_timestamp_seconds", Gauge, "When the newest backup in backup_to was made; 0 while there is none.", nil}
	every := &Metric{"wasmoor_backup_every_seconds", Gauge, "How often one is made: backup_every.", nil}
	size := &Metric{"wasmoor_backup_last_size_bytes", Gauge, "Size of the newest backup; 0 while there is none.", nil}
	count := &Metric{"wasmoor_backups_total", Counter, "Backups of the schedule that were made, or failed; one that fails is tried again.", []string{"outcome"}}
	return Part{[]*Metric{newest, every, size, count}, func(v *Values) {
		st := s.Backups()
		if st == nil {
			return
		}
		if st.Newest.IsZero() {
			v.Put(newest, 0)
		} else {
			v.Put(newest, float64(st.Newest.Unix()))
		}
		v.Put(every, st.Every.Seconds())
		v.Put(size, float64(st.NewestBytes))
		v.Put(count, float64(st.Made), "made")
		v.Put(count, float64(st.Failures), "failed")
	}}
}
