package serve_test

import (
	"log/slog"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/serve"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

// BenchmarkHandle is what the record of a request costs: around a handler that
// does nothing, with the observers that every host has.
func BenchmarkHandle(b *testing.B) {
	d := stub(func(*invoke.Invocation) (dispatch.Result, error) { return dispatch.Result{Attempts: 1}, nil })
	h, inv, rec := serve.New(slog.New(slog.DiscardHandler), serve.Count, serve.Remember), request(), new(trace.Record)
	b.ReportAllocs()
	for b.Loop() {
		if err := h.Handle(b.Context(), serve.Target{Deployment: d}, inv, rec); err != nil {
			b.Fatal(err)
		}
	}
}
