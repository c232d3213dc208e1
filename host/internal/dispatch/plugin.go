package dispatch

import (
	"sync/atomic"

	"github.com/wasmoor/wasmoor/host/internal/dispatch/lane"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/logs"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/rollout"
	"github.com/wasmoor/wasmoor/host/internal/runq"
	"github.com/wasmoor/wasmoor/host/internal/team"
	"github.com/wasmoor/wasmoor/host/internal/telemetry/tally"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

// Plugin is what an installed plugin has that outlives its deployments. Those
// that serve, and those that still drain, share it. Safe for concurrent use.
// "What lives how long" in ARCHITECTURE.md says what each change resets.
type Plugin struct {
	// Counts counts what became of the requests.
	Counts trace.Counts
	// Tally counts them apart for a roll-out; nil = there is none.
	Tally atomic.Pointer[rollout.Tally]
	// Meter counts the HTTP requests by route, and how long they took.
	Meter tally.Meter
	// Wakes counts the loads of programs.
	Wakes Wakes
	// Recent is what became of the last requests.
	Recent trace.Log
	// Lines bounds what is logged of the plugin; nil = nothing does. Set it before the
	// first request.
	Lines *logs.Source
	// States are what capabilities keep of the plugin. Closed, they have forgotten
	// it, and may be used again.
	States invoke.States

	// Team is what the plugin shares with others; nil = nothing. Set it before the first
	// request.
	Team *team.Member

	// Pause is why the plugin does not serve, or takes no writes; nil = it does.
	Pause atomic.Pointer[plugin.Pause]

	slots slots
	line  *runq.Line
	low   *runq.Line // for requests that nobody waits for
	keys  keys       // of the requests that run once
	lane  lane.Lane  // for requests that conflict
	told  told       // of conflicts
}

// NewPlugin returns a plugin that lets so many of its requests run at a time. Its
// guests compute when it is their turn in line, nil = at once.
func NewPlugin(name string, concurrency int, line *runq.Line, states invoke.States) *Plugin {
	return &Plugin{States: states, line: line, low: line.Low(), slots: slots{plugin: name, most: concurrency}}
}

// lineOf returns the line of the run queue in which a request waits.
func (p *Plugin) lineOf(r *invoke.Request) *runq.Line {
	if r.Low {
		return p.low
	}
	return p.line
}

// SetConcurrency changes how many requests run at a time, over all deployments.
// Requests that run go on and count.
func (p *Plugin) SetConcurrency(most int) { p.slots.resize(most) }

// Wakes counts loads of a plugin's programs, over all deployments. Safe for
// concurrent use.
type Wakes struct{ done, failed atomic.Int64 }

// Read returns how many loads there were, and how many failed.
func (w *Wakes) Read() (done, failed int64) { return w.done.Load(), w.failed.Load() }
