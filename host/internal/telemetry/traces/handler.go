package traces

import (
	"log/slog"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/serve"
)

// Handler returns what handles requests, and the tracer that it traces them with where the
// environment asks for that; else nil. A variable that cannot be followed keeps no server
// from serving. getenv nil = there is none.
func Handler(getenv func(string) string, version string, statusOf func(fault.Code) int, log *slog.Logger) (*serve.Handler, *Tracer) {
	observers := []serve.Observer{serve.Count, serve.Remember}
	if getenv == nil {
		return serve.New(log, observers...), nil
	}
	cfg, on, err := FromEnv(getenv)
	if err != nil {
		log.Warn("requests are not traced", "error", err)
	}
	if !on {
		return serve.New(log, observers...), nil
	}
	tracer := New(cfg, version, statusOf, log)
	handler := serve.New(log, append(observers, tracer.Observe)...)
	handler.Trace(tracer)
	return handler, tracer
}
