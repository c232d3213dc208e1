package host

import (
	"context"

	"github.com/wasmoor/wasmoor/host/internal/serve"
	"github.com/wasmoor/wasmoor/host/internal/server/public"
	"github.com/wasmoor/wasmoor/host/internal/telemetry/traces"
)

// handler returns what handles requests, and traces them where the environment asks
// for that. A variable that cannot be followed keeps no server from serving.
func (h *Host) handler() *serve.Handler {
	observers := []serve.Observer{serve.Count, serve.Remember}
	if h.cfg.Getenv != nil {
		cfg, on, err := traces.FromEnv(h.cfg.Getenv)
		if err != nil {
			h.cfg.Log.Warn("requests are not traced", "error", err)
		}
		if on {
			h.tracer = traces.New(cfg, Version(), public.StatusOf, h.cfg.Log)
			observers = append(observers, h.tracer.Observe)
		}
	}
	handler := serve.New(h.cfg.Log, observers...)
	if h.tracer != nil {
		handler.Trace(h.tracer)
	}
	return handler
}

// closeTraces sends the spans that wait. A collector that does not answer keeps no
// server from its end.
func (h *Host) closeTraces(ctx context.Context) {
	if h.tracer == nil {
		return
	}
	h.waitsFor("the collector of traces, which may not answer")
	if err := h.tracer.Close(ctx); err != nil {
		h.cfg.Log.Warn("the last spans were not sent", "error", err)
	}
}
