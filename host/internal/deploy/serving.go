package deploy

import (
	"cmp"
	"slices"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

// Serving is how the deployment of a plugin does, at a moment.
type Serving struct {
	Version  plugin.Version
	Routes   []string // as the manifest writes them; none = the whole mount
	Slashes  []string // routes that take encoded slashes
	Failure  error    // why it cannot serve as it is, or could not be woken; nil = it can
	Loaded   bool     // its code is in memory; else the next request wakes it
	Stateful bool     // instances keep their memory between requests

	Counts   trace.Totals  // of requests, over all deployments since the start
	InFlight int64         // requests that run, or wait for their turn
	Idle     int           // clean instances that wait for a request
	Busy     int           // instances that serve one
	Fresh    string        // why each request gets a new instance; "" = they are reset, or it has not been awake yet
	Making   time.Duration // how long the last new instance took to make; 0 = none was made yet
}

// Serving returns how the deployment that serves a plugin does; false = none.
func (d *Deployer) Serving(name string) (Serving, bool) {
	l := d.state.Load().live[name]
	if l == nil {
		return Serving{}, false
	}
	it := l.serving.main()
	has := it.deployment.Stats()
	return Serving{
		Version: it.version, Routes: it.manifest.Patterns(), Slashes: it.manifest.EncodedSlashes(), Failure: cmp.Or(l.failure, has.Failure), Loaded: has.Loaded,
		Stateful: stateful(l.plugin, it.manifest), Counts: l.owner.Counts.Totals(), InFlight: it.deployment.InFlight(),
		Idle: has.Idle, Busy: has.Busy, Fresh: has.Fresh, Making: has.Making,
	}, true
}

// Requests returns the recent requests with an id, the oldest first, of the
// plugins that serve.
func (d *Deployer) Requests(id string) (found []trace.Record) {
	for _, l := range d.state.Load().live {
		found = append(found, l.owner.Recent.Find(id)...)
	}
	slices.SortStableFunc(found, func(a, b trace.Record) int { return a.Start.Compare(b.Start) })
	return found
}
