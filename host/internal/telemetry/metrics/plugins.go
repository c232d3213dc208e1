package metrics

import (
	"strconv"

	"github.com/wasmoor/wasmoor/host/internal/capability/outbound"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/egress"
	"github.com/wasmoor/wasmoor/host/internal/service"
	"github.com/wasmoor/wasmoor/host/internal/telemetry/tally"
)

// requests is what became of requests to plugins.
func requests(s Sources) Part {
	byPlugin := func(labels ...string) []string { return append([]string{"plugin"}, labels...) }
	duration := &Metric{
		"http_server_request_duration_seconds", Histogram,
		"Time from the head of a request to its answer, for requests that a plugin was found for.",
		byPlugin("route", "method", "code", "version"),
	}
	invocations := &Metric{"wasmoor_invocations_total", Counter, "Requests that a plugin was asked to handle, by what became of their effects.", byPlugin("outcome")}
	attempts := &Metric{"wasmoor_invocation_attempts_total", Counter, "Runs of handlers; a request that conflicts runs again.", byPlugin()}
	replays := &Metric{"wasmoor_invocation_replays_total", Counter, "Answers that were those of an earlier request with the same Idempotency-Key.", byPlugin()}
	phases := &Metric{"wasmoor_invocation_seconds_total", Counter, "Time that requests spent: in wait for their turn, in wake for an instance, in run in the handler, in commit until durable.", byPlugin("phase")}
	faults := &Metric{"wasmoor_invocation_faults_total", Counter, "Requests that ended without an answer of the handler, by why.", byPlugin("fault")}
	traps := &Metric{"wasmoor_traps_total", Counter, "Requests whose handler failed, by kind.", byPlugin("kind")}
	stopped := &Metric{"wasmoor_invocations_stopped_total", Counter, "Requests that an operator stopped: paused where the plugin was, ended one by one.", byPlugin("by")}
	conflicts := &Metric{"wasmoor_conflicts_total", Counter, "Runs of handlers whose effects were dropped for a conflict.", byPlugin()}
	list := []*Metric{duration, invocations, attempts, replays, phases, faults, traps, stopped, conflicts}
	return Part{list, func(v *Values) {
		for _, p := range s.Plugins() {
			p.Owner.Meter.Each(func(one tally.Series, d tally.Distribution) {
				v.PutHistogram(duration, d, 1e9, p.Name, one.Route, one.Method, code(one.Status), strconv.Itoa(one.Version))
			})
			parts := p.Owner.Counts.Parts()
			for outcome, n := range parts.Outcomes {
				v.Put(invocations, float64(n), p.Name, string(outcome))
			}
			v.Put(attempts, float64(parts.Attempts), p.Name)
			v.Put(replays, float64(parts.Replays), p.Name)
			for phase, took := range parts.Phases {
				v.Put(phases, took.Seconds(), p.Name, phase)
			}
			for name, n := range parts.Faults {
				v.Put(faults, float64(n), p.Name, name)
			}
			for kind, n := range parts.Traps {
				v.Put(traps, float64(n), p.Name, kind)
			}
			for by, n := range parts.Stopped {
				v.Put(stopped, float64(n), p.Name, string(by))
			}
			v.Put(conflicts, float64(p.Owner.Counts.Totals().Conflicts), p.Name)
		}
	}}
}

// code is a status, or a class of them.
func code(status int) string {
	if status < 10 {
		return strconv.Itoa(status) + "xx"
	}
	return strconv.Itoa(status)
}

// plugins is what plugins have at the moment.
func plugins(s Sources) Part {
	both := []string{"plugin", "version"}
	one := []string{"plugin"}
	inFlight := &Metric{"wasmoor_requests_in_flight", Gauge, "Requests that run or wait for their turn.", both}
	instances := &Metric{"wasmoor_instances", Gauge, "Instances that are idle, or busy: serving, being made or being closed.", append(both, "state")}
	loaded := &Metric{"wasmoor_plugin_loaded", Gauge, "1 while the code is in memory, 0 while it sleeps.", both}
	failed := &Metric{"wasmoor_plugin_failed", Gauge, "1 while the version cannot serve or could not be woken, else 0.", both}
	wakes := &Metric{"wasmoor_wakes_total", Counter, "Loads of sleeping plugins.", []string{"plugin", "outcome"}}
	keys := &Metric{"wasmoor_plugin_keys", Gauge, "Keys that a plugin stores.", one}
	keysLimit := &Metric{"wasmoor_plugin_keys_limit", Gauge, "Keys that it may store; absent = its grant has no keys.", one}
	stored := &Metric{"wasmoor_plugin_stored_bytes", Gauge, "Bytes of keys and values that a plugin stores.", one}
	storedLimit := &Metric{"wasmoor_plugin_stored_limit_bytes", Gauge, "Bytes that it may store; absent = its grant has no keys.", one}
	dropped := &Metric{"wasmoor_log_lines_dropped_total", Counter, "Log lines about a plugin that were dropped for want of room.", one}
	paused := &Metric{"wasmoor_plugin_paused", Gauge, "1 while an operator has paused the plugin, or its writes alone, else 0.", []string{"plugin", "what"}}
	egressOff := &Metric{"wasmoor_plugin_egress_off", Gauge, "1 while an operator has ended the calls of the plugin to other services, or of all plugins, else 0.", one}
	lost := &Metric{"wasmoor_plugin_secrets_lost", Gauge, "Secrets of the plugin that cannot be opened: the server has not got the key that they were sealed with.", one}
	list := []*Metric{inFlight, instances, loaded, failed, wakes, keys, keysLimit, stored, storedLimit, dropped, paused, egressOff, lost}
	space := func(v *Values, p *deploy.Counted) {
		if has, err := s.Store.Usage(p.Space); err == nil {
			v.Put(keys, float64(has.Keys), p.Name)
			v.Put(stored, float64(has.Bytes), p.Name)
		}
		if p.Quota.Keys > 0 {
			v.Put(keysLimit, float64(p.Quota.Keys), p.Name)
		}
		if p.Quota.Bytes > 0 {
			v.Put(storedLimit, float64(p.Quota.Bytes), p.Name)
		}
	}
	return Part{list, func(v *Values) {
		for _, p := range s.Plugins() {
			for _, it := range p.Versions {
				version := strconv.Itoa(it.Number)
				v.Put(inFlight, float64(it.InFlight), p.Name, version)
				v.Put(instances, float64(it.Has.Idle), p.Name, version, "idle")
				v.Put(instances, float64(it.Has.Busy), p.Name, version, "busy")
				v.Put(loaded, bit(it.Has.Loaded), p.Name, version)
				v.Put(failed, bit(it.Failure != nil), p.Name, version)
			}
			awake, not := p.Owner.Wakes.Read()
			v.Put(wakes, float64(awake), p.Name, "loaded")
			v.Put(wakes, float64(not), p.Name, "failed")
			space(v, &p)
			v.Put(dropped, float64(p.Owner.Lines.Dropped()), p.Name)
			pause := p.Owner.Pause.Load()
			v.Put(paused, bit(pause != nil && !pause.Writes), p.Name, "requests")
			v.Put(paused, bit(pause != nil), p.Name, "writes")
			state, _ := p.Owner.States.Of(outbound.Name).(*egress.State)
			v.Put(egressOff, bit(state.Off()), p.Name)
			v.Put(lost, float64(p.Lost), p.Name)
		}
	}}
}

// outboundCalls is what became of calls to other services, and to other plugins. Hosts
// are no label: handlers choose them. The names of plugins are: a manifest has them.
func outboundCalls(s Sources) Part {
	calls := &Metric{"wasmoor_outbound_calls_total", Counter, "Calls to other services: answered, with the class of the status as code, or why there was no answer.", []string{"plugin", "outcome", "code"}}
	own := &Metric{
		"wasmoor_service_calls_total", Counter,
		"Calls to other plugins of the server, by the caller and the name by which it calls: answered, with the class of the status as code, or why the host answered in place of the plugin; ended: the caller ended with the call.",
		[]string{"plugin", "service", "outcome", "code"},
	}
	return Part{[]*Metric{calls, own}, func(v *Values) {
		for _, p := range s.Plugins() {
			if state, ok := p.Owner.States.Of(outbound.Name).(*egress.State); ok {
				state.Each(func(outcome, class string, n int64) { v.Put(calls, float64(n), p.Name, outcome, class) })
			}
			counts, _ := p.Owner.States.Of(service.Name).(*service.Counts)
			counts.Each(func(name, outcome, class string, n int64) { v.Put(own, float64(n), p.Name, name, outcome, class) })
		}
	}}
}
