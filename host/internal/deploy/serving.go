package deploy

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

// Serving is how the deployment of a plugin does, at a moment.
type Serving struct {
	Version  plugin.Version
	Routes   []string // as the manifest writes them; none = the whole mount
	Slashes  []string // routes that take encoded slashes
	Private  []string // routes that clients do not reach
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
		Version: it.version, Routes: it.manifest.Patterns(), Slashes: it.manifest.EncodedSlashes(), Private: it.manifest.Private(), Failure: cmp.Or(l.failure, has.Failure), Loaded: has.Loaded,
		Stateful: it.manifest.Ask().Stateful && l.plugin.Grant.Stateful, Counts: l.owner.Counts.Totals(), InFlight: it.deployment.InFlight(),
		Idle: has.Idle, Busy: has.Busy, Fresh: has.Fresh, Making: has.Making,
	}, true
}

// Counted is what is counted of a plugin that serves, and what it has at a moment.
type Counted struct {
	Name     string
	Owner    *dispatch.Plugin
	Space    store.Space
	Quota    store.Quota // zero without keys
	Lost     int         // secrets that cannot be opened
	Versions []VersionServing
}

// VersionServing is how one of the versions that serve a plugin does.
type VersionServing struct {
	Number   int
	InFlight int64
	Has      dispatch.Stats
	Failure  error // why it cannot serve; nil = it can
}

// Counted returns what is counted of every plugin that serves, by name.
func (d *Deployer) Counted() []Counted {
	live := d.state.Load().live
	list := make([]Counted, 0, len(live))
	for _, name := range slices.Sorted(maps.Keys(live)) {
		l := live[name]
		c := Counted{Name: name, Owner: l.owner, Space: store.Space(l.plugin.Keys()), Lost: len(l.plugin.Lost(slices.Collect(maps.Keys(l.plugin.Secrets))))}
		for i := range l.serving {
			it := l.serving[i].deployment
			has := it.Stats()
			c.Quota = it.Env().Quota
			c.Versions = append(c.Versions, VersionServing{Number: l.serving[i].version.Number, InFlight: it.InFlight(), Has: has, Failure: cmp.Or(l.failure, has.Failure)})
		}
		list = append(list, c)
	}
	return list
}

// Requests returns the recent requests with an id, the oldest first, of the
// plugins that serve.
func (d *Deployer) Requests(id string) []trace.Record { return d.owned().Recent(id) }
