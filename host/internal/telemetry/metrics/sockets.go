package metrics

import "github.com/wasmoor/wasmoor/host/internal/server/stream"

var kinds = []stream.Kind{stream.WebSocket, stream.EventSource}

// sockets are those of plugins.
func sockets(s Sources) Part {
	open := &Metric{"wasmoor_sockets", Gauge, "Open sockets of plugins.", []string{"plugin", "kind"}}
	waiting := &Metric{"wasmoor_socket_events_waiting", Gauge, "Messages of clients and ends of sockets that wait for their handler, or are being handled.", nil}
	events := &Metric{"wasmoor_socket_events_total", Counter, "Messages of clients and ends of sockets, by what became of them: handled, or failed (the handler refused it, failed or found no place).", []string{"outcome"}}
	published := &Metric{"wasmoor_socket_published_total", Counter, "Events that were published on topics.", nil}
	delivered := &Metric{"wasmoor_socket_deliveries_total", Counter, "Events on topics that went to sockets, one for each that follows.", nil}
	resumed := &Metric{"wasmoor_socket_resumes_total", Counter, "Event streams that came back and were sent what they had missed.", nil}
	reset := &Metric{"wasmoor_socket_resets_total", Counter, "Event streams of them that were told of a gap: what they had missed was kept no more.", nil}
	trimmed := &Metric{"wasmoor_socket_trimmed_total", Counter, "Events that topics had kept and keep no more.", nil}
	return Part{[]*Metric{open, waiting, events, published, delivered, resumed, reset, trimmed}, func(v *Values) {
		for _, of := range s.Sockets.Plugins() {
			for _, kind := range kinds {
				v.Put(open, float64(of.Open[kind]), of.Plugin, kind.String())
			}
		}
		t := s.Sockets.Totals()
		v.Put(waiting, float64(t.Waiting))
		v.Put(events, float64(t.Handled), "handled")
		v.Put(events, float64(t.Failed), "failed")
		v.Put(published, float64(t.Published))
		v.Put(delivered, float64(t.Delivered))
		v.Put(resumed, float64(t.Resumed))
		v.Put(reset, float64(t.Reset))
		v.Put(trimmed, float64(t.Trimmed))
	}}
}

// streams are the connections of sockets and of live answers.
func streams(s Sources) Part {
	open := &Metric{"wasmoor_streams", Gauge, "Open WebSockets and event streams, of sockets and of live answers.", []string{"kind"}}
	most := &Metric{"wasmoor_streams_limit", Gauge, "Streams that may be open.", nil}
	opened := &Metric{"wasmoor_streams_opened_total", Counter, "Streams that were opened.", []string{"kind"}}
	refused := &Metric{"wasmoor_streams_refused_total", Counter, "Streams that found no place: of the server, of their plugin or of their address.", nil}
	dropped := &Metric{
		"wasmoor_streams_dropped_total", Counter,
		"Streams that the server ended because of their client, by reason: slow (its queue overflowed), flooded (it sent too much) and lost (it answered no ping).",
		[]string{"reason"},
	}
	events := &Metric{"wasmoor_stream_events_total", Counter, "Messages of clients (in), and events to them (out).", []string{"direction"}}
	bytes := &Metric{"wasmoor_stream_bytes_total", Counter, "Bytes of messages of clients (in), and bytes written to clients (out).", []string{"direction"}}
	return Part{[]*Metric{open, most, opened, refused, dropped, events, bytes}, func(v *Values) {
		t := s.Streams()
		for _, kind := range kinds {
			v.Put(open, float64(t.Open[kind]), kind.String())
			v.Put(opened, float64(t.Opened[kind]), kind.String())
		}
		v.Put(most, float64(t.Max))
		v.Put(refused, float64(t.Refused))
		v.Put(dropped, float64(t.Slow), "slow")
		v.Put(dropped, float64(t.Flooded), "flooded")
		v.Put(dropped, float64(t.Lost), "lost")
		v.Put(events, float64(t.In), "in")
		v.Put(events, float64(t.Out), "out")
		v.Put(bytes, float64(t.BytesIn), "in")
		v.Put(bytes, float64(t.BytesOut), "out")
	}}
}
