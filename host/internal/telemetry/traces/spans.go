package traces

import (
	"context"
	"net/http"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	otel "go.opentelemetry.io/otel/trace"

	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

// Observe makes spans of a request that was sampled. It is a serve.Observer.
func (t *Tracer) Observe(_ *dispatch.Plugin, r *trace.Record) {
	if r.Timeline == nil || !r.Timeline.Sampled {
		return
	}
	end := time.Now()
	ctx := context.Background()
	if parent := (trace.Context{Trace: r.Timeline.Trace, Span: r.Timeline.Parent}); parent.Span != [8]byte{} {
		parent.Sampled = true
		ctx = otel.ContextWithRemoteSpanContext(ctx, contextOf(parent, r.Timeline.State))
	}
	method := methodOf(r.Method)
	route := routeOf(r)
	ctx, span := t.tracer.Start(as(ctx, r.Timeline.Context), spanName(method, route),
		otel.WithSpanKind(otel.SpanKindServer), otel.WithTimestamp(r.Timeline.Began), otel.WithAttributes(t.attributes(r, method, route)...))
	defer span.End(otel.WithTimestamp(end))
	t.parts(context.WithValue(ctx, known{}, nil), span, r.Timeline)
	if r.Code != "" {
		span.SetStatus(codes.Error, r.Error)
	} else if r.Status >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, "")
	}
}

// attributes are those of the request's own span: of the semantic conventions of
// HTTP, and its own.
func (t *Tracer) attributes(r *trace.Record, method, route string) []attribute.KeyValue {
	status := r.Status
	if r.Code != "" {
		status = t.statusOf(fault.Code(r.Code))
	}
	list := []attribute.KeyValue{
		attribute.String("http.request.method", method),
		attribute.String("url.path", r.Path),
		attribute.Int("http.response.status_code", status),
		attribute.Int64("http.request.body.size", r.BytesIn),
		attribute.Int64("http.response.body.size", r.BytesOut),
		attribute.String("wasmoor.plugin", r.Plugin),
		attribute.Int("wasmoor.version", r.Version),
		attribute.String("wasmoor.outcome", string(r.Outcome)),
		attribute.Int("wasmoor.attempts", r.Attempts),
		attribute.String("wasmoor.request_id", r.ID),
	}
	list = appendText(list, "http.route", route)
	list = appendText(list, "url.scheme", r.Timeline.Scheme)
	list = appendText(list, "server.address", r.Timeline.Host)
	if method != r.Method {
		list = append(list, attribute.String("http.request.method_original", r.Method))
	}
	if r.Replayed {
		list = append(list, attribute.Bool("wasmoor.replayed", true))
	}
	if r.Code != "" {
		list = append(list, attribute.String("error.type", r.Code))
	} else if status >= http.StatusInternalServerError {
		list = append(list, attribute.String("error.type", http.StatusText(status)))
	}
	return list
}

func appendText(list []attribute.KeyValue, name, value string) []attribute.KeyValue {
	if value == "" {
		return list
	}
	return append(list, attribute.String(name, value))
}

// parts makes a span of each step and each call. ctx is that of the request's span.
func (t *Tracer) parts(ctx context.Context, span otel.Span, line *trace.Timeline) {
	steps, calls, dropped := line.Steps()
	runs := map[int]context.Context{}
	for _, s := range steps {
		if s.Kind == trace.Again {
			span.AddEvent(string(s.Kind), otel.WithTimestamp(s.Start), otel.WithAttributes(attribute.Int("wasmoor.attempt", s.Attempt+1)))
			continue
		}
		of, part := t.tracer.Start(ctx, string(s.Kind), otel.WithTimestamp(s.Start), otel.WithAttributes(attribute.Int("wasmoor.attempt", s.Attempt)))
		if s.Kind == trace.Run {
			runs[s.Attempt] = of
			if s.Queued > 0 {
				part.SetAttributes(attribute.Float64("wasmoor.queued_ms", float64(s.Queued.Microseconds())/1000))
			}
		}
		part.End(otel.WithTimestamp(s.End))
	}
	for i := range calls {
		of, ok := runs[calls[i].Attempt]
		if !ok { // there was no room for its step
			of = ctx
		}
		t.call(of, line, &calls[i])
	}
	if dropped > 0 {
		span.SetAttributes(attribute.Int("wasmoor.dropped_spans", dropped))
	}
}

// call makes the span of a call, under the id that the service was told.
func (t *Tracer) call(ctx context.Context, line *trace.Timeline, c *trace.Call) {
	method := methodOf(c.Method)
	list := []attribute.KeyValue{
		attribute.String("http.request.method", method), attribute.String("url.full", c.URL), attribute.String("server.address", c.Host),
	}
	if c.Port > 0 {
		list = append(list, attribute.Int("server.port", c.Port))
	}
	if c.Status > 0 {
		list = append(list, attribute.Int("http.response.status_code", c.Status))
	}
	_, span := t.tracer.Start(as(ctx, trace.Context{Trace: line.Trace, Span: c.Span}), spanName(method, ""),
		otel.WithSpanKind(otel.SpanKindClient), otel.WithTimestamp(c.Start), otel.WithAttributes(list...))
	if c.Failure != "" {
		span.SetAttributes(attribute.String("error.type", "_OTHER"))
		span.SetStatus(codes.Error, c.Failure)
	} else if c.Status >= http.StatusBadRequest {
		span.SetAttributes(attribute.String("error.type", http.StatusText(c.Status)))
		span.SetStatus(codes.Error, "")
	}
	span.End(otel.WithTimestamp(c.End))
}

// other is a method of which there may be too many for who counts them.
const other = "_OTHER"

func methodOf(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return other
}

func spanName(method, route string) string {
	if method == other {
		method = "HTTP"
	}
	if route == "" {
		return method
	}
	return method + " " + route
}

// routeOf is the pattern of a request's route with the mount of the plugin; "" where
// there is none.
func routeOf(r *trace.Record) string {
	pattern := r.Pattern
	if _, path, ok := strings.Cut(pattern, " "); ok { // after its method
		pattern = path
	}
	if pattern == "" {
		return r.Timeline.Mount // all that is known to be of few forms
	}
	return r.Timeline.Mount + pattern
}
