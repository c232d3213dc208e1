package metrics

import (
	"runtime"

	"github.com/wasmoor/wasmoor/host/internal/backup"
	"github.com/wasmoor/wasmoor/host/internal/blob/keeper"
	"github.com/wasmoor/wasmoor/host/internal/cache"
	"github.com/wasmoor/wasmoor/host/internal/cron/ticking"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/live"
	"github.com/wasmoor/wasmoor/host/internal/prepare"
	"github.com/wasmoor/wasmoor/host/internal/queue/delivery"
	"github.com/wasmoor/wasmoor/host/internal/server/stream"
	"github.com/wasmoor/wasmoor/host/internal/server/vitals"
	"github.com/wasmoor/wasmoor/host/internal/server/wire"
	"github.com/wasmoor/wasmoor/host/internal/ship"
	"github.com/wasmoor/wasmoor/host/internal/socket/hub"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/meter"
)

// Sources are the parts of the host that count. All fields are required.
type Sources struct {
	Plugins   func() []deploy.Counted
	Rollouts  func() deploy.RolloutTotals
	Queues    func() []delivery.Stats
	Crons     func() []ticking.Stats
	Live      Live
	Cache     func() []cache.Of
	Sockets   Sockets
	Streams   func() stream.Totals
	Store     Store
	Free      func() (int64, error) // bytes of the disk of the data folder
	MinFree   int64                 // bytes of it that are kept free; 0 = none
	Builds    func() prepare.Builds
	Listeners map[string]func() vitals.Listener
	Budgets   func(yield func(name string, of *limit.Budget))
	Health    []wire.Check
	Shipping  func() *ship.Status   // nil = nothing is shipped
	Backups   func() *backup.Status // nil = the server makes none by itself
	Blobs     func() keeper.Stats
	Uploads   func() int                   // that are open
	Traces    func() (sent, dropped int64) // spans
	Version   string
	// LogDropped returns how many lines of the log had no room; nil = nobody counts them.
	LogDropped func() int64
}

// Live is what counts of live answers.
type Live interface {
	Plugins() []live.Of
	Totals() live.Totals
}

// Sockets is what counts of sockets.
type Sockets interface {
	Plugins() []hub.Of
	Totals() hub.Totals
}

// Store is what counts of a store.
type Store interface {
	Usage(store.Space) (store.Usage, error)
	Totals() meter.Totals
	Size() (lsm, values int64)
}

// parts lists what is shown. A further part of the host has a file of its own here,
// a field in Sources and a row in this list.
func parts(s Sources) []Part {
	return []Part{
		requests(s), plugins(s), queues(s), crons(s), lives(s), kept(s), sockets(s), streams(s), rollouts(s), outboundCalls(s), listeners(s), budgets(s), storage(s), shipping(s), backups(s), blobs(s), builds(s), spans(s), program(s),
	}
}

// Metrics lists every metric of the host's own.
func Metrics() (list []*Metric) {
	for _, part := range parts(Sources{}) {
		list = append(list, part.Metrics...)
	}
	return list
}

func listeners(s Sources) Part {
	open := &Metric{"wasmoor_connections", Gauge, "Open connections.", []string{"listener"}}
	most := &Metric{"wasmoor_connections_limit", Gauge, "Connections that may be open.", []string{"listener"}}
	refused := &Metric{
		"wasmoor_http_refused_total", Counter,
		"Requests and connections that were refused before a plugin was found for them, by reason.",
		[]string{"listener", "reason"},
	}
	return Part{[]*Metric{open, most, refused}, func(v *Values) {
		for name, doing := range s.Listeners {
			d := doing()
			v.Put(open, float64(d.Open), name)
			v.Put(most, float64(d.Max), name)
			d.Refusals.Each(func(reason string, n int64) { v.Put(refused, float64(n), name, reason) })
		}
	}}
}

func budgets(s Sources) Part {
	used := &Metric{"wasmoor_budget_used_bytes", Gauge, "Memory or disk in use of what all plugins share: guest is the memory of instances and code, live what live answers take.", []string{"budget"}}
	size := &Metric{"wasmoor_budget_limit_bytes", Gauge, "Memory or disk that all plugins share.", []string{"budget"}}
	return Part{[]*Metric{used, size}, func(v *Values) {
		s.Budgets(func(name string, of *limit.Budget) {
			v.Put(used, float64(max(of.Size()-of.Left(), 0)), name)
			v.Put(size, float64(of.Size()), name)
		})
	}}
}

func builds(s Sources) Part {
	count := &Metric{"wasmoor_builds_total", Counter, "Modules that were prepared: built, cached (loaded without a build), or failed.", []string{"outcome"}}
	took := &Metric{"wasmoor_build_seconds_total", Counter, "Time that builds of modules took, from start to end.", nil}
	return Part{[]*Metric{count, took}, func(v *Values) {
		b := s.Builds()
		v.Put(count, float64(b.Built), "built")
		v.Put(count, float64(b.Cached), "cached")
		v.Put(count, float64(b.Failed), "failed")
		v.Put(took, b.Took.Seconds())
	}}
}

func spans(s Sources) Part {
	count := &Metric{"wasmoor_trace_spans_total", Counter, "Spans that were sent to the collector, or dropped as it did not take them.", []string{"outcome"}}
	return Part{[]*Metric{count}, func(v *Values) {
		sent, dropped := s.Traces()
		v.Put(count, float64(sent), "sent")
		v.Put(count, float64(dropped), "dropped")
	}}
}

func program(s Sources) Part {
	info := &Metric{"wasmoor_build_info", Gauge, "Always 1; its labels are the version of the program and of Go.", []string{"version", "goversion"}}
	healthy := &Metric{"wasmoor_healthy", Gauge, "1 while the host can do it, else 0.", []string{"check"}}
	lost := &Metric{"wasmoor_log_lines_lost_total", Counter, "Lines of the log that were dropped because its reader or its disk is too slow.", nil}
	return Part{[]*Metric{info, healthy, lost}, func(v *Values) {
		if s.LogDropped != nil {
			v.Put(lost, float64(s.LogDropped()))
		}
		v.Put(info, 1, s.Version, runtime.Version())
		for _, check := range s.Health {
			v.Put(healthy, bit(check.Healthy() == nil), check.Name)
		}
	}}
}

func bit(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
