package metrics

import "time"

// queues are the messages of plugins. A queue's name is its author's, of which a
// manifest has few.
func queues(s Sources) Part {
	labels := []string{"plugin", "queue"}
	depth := &Metric{"wasmoor_queue_messages", Gauge, "Messages that wait, or are being handled.", append(labels, "state")}
	age := &Metric{"wasmoor_queue_oldest_age_seconds", Gauge, "Time since the oldest message was sent that is not handled; 0 = there is none.", labels}
	runs := &Metric{
		"wasmoor_queue_runs_total", Counter,
		"Runs of messages, by what became of them: handled, failed (an attempt), conflict (it had lost to others again and again) and refused (it found no place); the last two are no attempts.",
		append(labels, "outcome"),
	}
	dead := &Metric{"wasmoor_queue_dead_letters_total", Counter, "Messages that became dead letters.", labels}
	return Part{[]*Metric{depth, age, runs, dead}, func(v *Values) {
		now := time.Now()
		for _, q := range s.Queues() {
			v.Put(depth, float64(q.Waiting), q.Plugin, q.Queue, "waiting")
			v.Put(depth, float64(q.Handling), q.Plugin, q.Queue, "handling")
			seconds := 0.0
			if !q.Oldest.IsZero() {
				seconds = max(now.Sub(q.Oldest).Seconds(), 0)
			}
			v.Put(age, seconds, q.Plugin, q.Queue)
			v.Put(runs, float64(q.Counts.Handled), q.Plugin, q.Queue, "handled")
			v.Put(runs, float64(q.Counts.Failed), q.Plugin, q.Queue, "failed")
			v.Put(runs, float64(q.Counts.Conflicts), q.Plugin, q.Queue, "conflict")
			v.Put(runs, float64(q.Counts.Refused), q.Plugin, q.Queue, "refused")
			v.Put(dead, float64(q.Counts.Dead), q.Plugin, q.Queue)
		}
	}}
}
