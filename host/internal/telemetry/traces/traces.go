// Package traces tells an OpenTelemetry collector of requests. It is on when the
// standard variables name one. A request notes what it does in a trace.Timeline; when
// it is over, its record becomes spans, which wait in a bounded queue for a goroutine
// that sends them. No request waits for that. Package host makes it, and gives it to
// serve.
package traces

import (
	"context"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	otel "go.opentelemetry.io/otel/trace"

	"github.com/wasmoor/wasmoor/abi/field"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

// Tracer traces requests: it is a serve.Tracer, and its Observe a serve.Observer. Close
// it. Safe for concurrent use.
type Tracer struct {
	sampler  sdk.Sampler
	provider *sdk.TracerProvider
	tracer   otel.Tracer
	exporter *exporter
	statusOf func(fault.Code) int
}

const scope = "github.com/wasmoor/wasmoor"

// New returns a Tracer. version is the program's. statusOf maps a fault to the status
// that a client gets.
func New(cfg Config, version string, statusOf func(fault.Code) int, log *slog.Logger) *Tracer {
	attributes := append(cfg.Resource, attribute.String("service.version", version))
	t := &Tracer{sampler: cfg.Sampler, exporter: newExporter(cfg, log), statusOf: statusOf}
	t.provider = sdk.NewTracerProvider(
		sdk.WithSampler(sdk.AlwaysSample()), // Begin has decided
		sdk.WithIDGenerator(knownIDs{}),
		sdk.WithResource(resource.NewSchemaless(attributes...)),
		sdk.WithSpanProcessor(t.exporter),
	)
	t.tracer = t.provider.Tracer(scope, otel.WithInstrumentationVersion(version))
	return t
}

// Close sends what waits, but tries only until ctx ends. What comes later is dropped.
func (t *Tracer) Close(ctx context.Context) error { return t.provider.Shutdown(ctx) }

// Totals returns how many spans were sent, and how many were dropped; of a nil Tracer
// none were.
func (t *Tracer) Totals() (sent, dropped int64) {
	if t == nil {
		return 0, 0
	}
	return t.exporter.sent.Load(), t.exporter.dropped.Load()
}

// Begin implements serve.Tracer.
func (t *Tracer) Begin(r *invoke.Request) *trace.Timeline {
	head := &r.Head
	parent := invoke.TraceOf(head.Headers)
	line := &trace.Timeline{
		Context: trace.Context{Trace: parent.Trace, Span: trace.NewSpan()},
		Parent:  parent.Span, Began: r.Arrived, Scheme: head.Scheme, Host: head.Host, Mount: head.Mount,
	}
	if line.Began.IsZero() {
		line.Began = time.Now()
	}
	if parent == (trace.Context{}) {
		line.Trace = trace.NewTrace()
	} else if state := field.Single(head.Headers, "tracestate"); len(state) <= trace.MaxState {
		line.State = state
	}
	line.Sampled = t.samples(line, parent)
	return line
}

func (t *Tracer) samples(line *trace.Timeline, parent trace.Context) bool {
	p := sdk.SamplingParameters{ParentContext: context.Background(), TraceID: line.Trace, Kind: otel.SpanKindServer}
	if parent != (trace.Context{}) {
		p.ParentContext = otel.ContextWithRemoteSpanContext(p.ParentContext, contextOf(parent, ""))
	}
	return t.sampler.ShouldSample(p).Decision == sdk.RecordAndSample
}

func contextOf(c trace.Context, state string) otel.SpanContext {
	cfg := otel.SpanContextConfig{TraceID: c.Trace, SpanID: c.Span, Remote: true}
	if c.Sampled {
		cfg.TraceFlags = otel.FlagsSampled
	}
	cfg.TraceState, _ = otel.ParseTraceState(state) // none, of one that cannot be read
	return otel.NewSpanContext(cfg)
}

// knownIDs gives a span the ids that others were told while the request ran.
type knownIDs struct{}

// known is the key of a context's trace.Context.
type known struct{}

// NewIDs implements sdk.IDGenerator, for a span without a parent.
func (knownIDs) NewIDs(ctx context.Context) (otel.TraceID, otel.SpanID) {
	c, _ := ctx.Value(known{}).(trace.Context)
	return c.Trace, c.Span
}

// NewSpanID implements sdk.IDGenerator.
func (knownIDs) NewSpanID(ctx context.Context, _ otel.TraceID) otel.SpanID {
	if c, ok := ctx.Value(known{}).(trace.Context); ok {
		return c.Span
	}
	return trace.NewSpan()
}

func as(ctx context.Context, c trace.Context) context.Context {
	return context.WithValue(ctx, known{}, c)
}
