package metrics

func storage(s Sources) Part {
	commits := &Metric{"wasmoor_store_commits_total", Counter, "Commits that the store has decided: written, refused for a conflict, or refused for another reason.", []string{"result"}}
	group := &Metric{"wasmoor_store_group_commits", Histogram, "Commits in each group that was written to disk at once.", nil}
	write := &Metric{"wasmoor_store_group_write_seconds", Histogram, "Time that each group took until it was durable.", nil}
	failed := &Metric{"wasmoor_store_write_failures_total", Counter, "Groups that could not be written; after one the store is read-only.", nil}
	size := &Metric{"wasmoor_store_bytes", Gauge, "Size of the store's files as of the last minute: lsm has keys and short values, values the rest.", []string{"part"}}
	free := &Metric{"wasmoor_disk_free_bytes", Gauge, "Free space on the disk of the data folder.", nil}
	least := &Metric{"wasmoor_disk_min_free_bytes", Gauge, "Free space below which writes are refused.", nil}
	return Part{[]*Metric{commits, group, write, failed, size, free, least}, func(v *Values) {
		t := s.Store.Totals()
		v.Put(commits, float64(t.Groups.Sum), "written")
		v.Put(commits, float64(t.Conflicts), "conflict")
		v.Put(commits, float64(t.Refused), "refused")
		v.PutHistogram(group, t.Groups, 1)
		v.PutHistogram(write, t.Syncs, 1e9)
		v.Put(failed, float64(t.Failed))
		lsm, values := s.Store.Size()
		v.Put(size, float64(lsm), "lsm")
		v.Put(size, float64(values), "values")
		if n, err := s.Free(); err == nil {
			v.Put(free, float64(n))
		}
		v.Put(least, float64(max(s.MinFree, 0)))
	}}
}
