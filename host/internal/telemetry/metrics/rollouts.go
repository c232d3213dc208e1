package metrics

// rollouts is how versions take over from others.
func rollouts(s Sources) Part {
	running := &Metric{"wasmoor_rollouts_running", Gauge, "Versions that are being rolled out.", nil}
	begun := &Metric{"wasmoor_rollouts_begun_total", Counter, "Roll-outs that began since the start.", nil}
	ended := &Metric{"wasmoor_rollouts_ended_total", Counter, "Roll-outs that ended since the start: done, back (the version did worse) or aborted (by a person).", []string{"outcome"}}
	held := &Metric{"wasmoor_rollouts_held_total", Counter, "Times that a step was over and too little was known to go on: more requests or a person must decide.", nil}
	return Part{[]*Metric{running, begun, ended, held}, func(v *Values) {
		t := s.Rollouts()
		v.Put(running, float64(t.Running))
		v.Put(begun, float64(t.Begun))
		v.Put(ended, float64(t.Done), "done")
		v.Put(ended, float64(t.Back), "back")
		v.Put(ended, float64(t.Aborted), "aborted")
		v.Put(held, float64(t.Held))
	}}
}
