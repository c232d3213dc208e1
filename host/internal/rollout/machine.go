package rollout

import (
	"time"

	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// Act is what is to be done with a roll-out.
type Act int8

// The acts.
const (
	Stay Act = iota // at the share it has
	Next            // to the next step, or after the last one to everybody
	Back            // to the old version, at once
)

// Decision is what a Machine says at a look.
type Decision struct {
	Act     Act
	Verdict Verdict
	Reason  string // with its numbers
	Held    bool   // the step's time is over, and too little is known to go on
}

// Machine takes a roll-out through its plan. It sees time only as it is told. The
// gate watches while a roll-out is paused, too.
type Machine struct {
	gate Gate
}

// Look decides at a moment, by what both versions have counted since the machine was
// made.
func (m *Machine) Look(r *plugin.Rollout, now time.Time, old, new *Counts) Decision {
	verdict, reason := m.gate.Look(old, new)
	d := Decision{Verdict: verdict, Reason: reason}
	switch over := now.Sub(r.Stepped) >= r.Plan[r.Step].Bake; {
	case verdict == Worse:
		d.Act = Back
	case r.Paused || !over:
	case verdict == Good:
		d.Act = Next
	default:
		d.Held = true
	}
	return d
}
