package host

import "context"

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
