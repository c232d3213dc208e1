package metrics

// crons are the schedules of plugins. A schedule's name is its author's, of which a
// manifest has few.
func crons(s Sources) Part {
	labels := []string{"plugin", "cron"}
	runs := &Metric{
		"wasmoor_cron_runs_total", Counter,
		"Runs of schedules, by what became of them: done, failed (an attempt) and refused (it found no place, which is no attempt); skipped counts times without a run.",
		append(labels, "outcome"),
	}
	late := &Metric{"wasmoor_cron_late_seconds", Gauge, "How late the run of a schedule is that is due or goes on; 0 = none is.", labels}
	all := &Metric{"wasmoor_cron_lateness_seconds_total", Counter, "By how much the runs of a schedule began late, all together.", labels}
	return Part{[]*Metric{runs, late, all}, func(v *Values) {
		for _, c := range s.Crons() {
			v.Put(runs, float64(c.Record.Counts.Done), c.Plugin, c.Name, "done")
			v.Put(runs, float64(c.Record.Counts.Failed), c.Plugin, c.Name, "failed")
			v.Put(runs, float64(c.Record.Counts.Skipped), c.Plugin, c.Name, "skipped")
			v.Put(runs, float64(c.Refused), c.Plugin, c.Name, "refused")
			v.Put(late, c.Late.Seconds(), c.Plugin, c.Name)
			v.Put(all, c.LateAll.Seconds(), c.Plugin, c.Name)
		}
	}}
}
