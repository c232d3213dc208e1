package traces

import (
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	collector "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	resource "go.opentelemetry.io/proto/slim/otlp/resource/v1"
	pb "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// encode returns a batch as OTLP has it. All spans are of one resource and one scope.
func (e *exporter) encode(batch []sdk.ReadOnlySpan) ([]byte, error) {
	first := batch[0]
	of := first.InstrumentationScope()
	spans := make([]*pb.Span, len(batch))
	for i, s := range batch {
		spans[i] = spanOf(s)
	}
	body, err := proto.Marshal(&collector.ExportTraceServiceRequest{ResourceSpans: []*pb.ResourceSpans{{
		Resource:   &resource.Resource{Attributes: attributesOf(first.Resource().Attributes())},
		ScopeSpans: []*pb.ScopeSpans{{Scope: &common.InstrumentationScope{Name: of.Name, Version: of.Version}, Spans: spans}},
	}}})
	if err != nil || !e.cfg.Gzip {
		return body, err
	}
	return compress(body)
}

// Of the flags of a span, whether it is known where its parent is, and whether that
// is elsewhere.
const parentIsKnown, parentIsRemote = 0x100, 0x200

func spanOf(s sdk.ReadOnlySpan) *pb.Span {
	c := s.SpanContext()
	traceID, spanID, parent := c.TraceID(), c.SpanID(), s.Parent()
	out := &pb.Span{
		TraceId: traceID[:], SpanId: spanID[:], TraceState: c.TraceState().String(),
		Flags: uint32(c.TraceFlags()) | parentIsKnown,
		Name:  s.Name(), Kind: pb.Span_SpanKind(s.SpanKind()), // the same numbers
		StartTimeUnixNano: nanos(s.StartTime()), EndTimeUnixNano: nanos(s.EndTime()),
		Attributes: attributesOf(s.Attributes()), DroppedAttributesCount: uint32(s.DroppedAttributes()),
		DroppedEventsCount: uint32(s.DroppedEvents()),
		Status:             statusOf(s.Status()),
	}
	if id := parent.SpanID(); parent.HasSpanID() {
		out.ParentSpanId = id[:]
	}
	if parent.IsRemote() {
		out.Flags |= parentIsRemote
	}
	for _, e := range s.Events() {
		out.Events = append(out.Events, &pb.Span_Event{TimeUnixNano: nanos(e.Time), Name: e.Name, Attributes: attributesOf(e.Attributes)})
	}
	return out
}

func nanos(t time.Time) uint64 { return uint64(max(t.UnixNano(), 0)) }

func statusOf(s sdk.Status) *pb.Status {
	if s.Code != codes.Error {
		return &pb.Status{}
	}
	return &pb.Status{Code: pb.Status_STATUS_CODE_ERROR, Message: s.Description}
}

func attributesOf(list []attribute.KeyValue) []*common.KeyValue {
	out := make([]*common.KeyValue, len(list))
	for i, a := range list {
		out[i] = &common.KeyValue{Key: string(a.Key), Value: valueOf(a.Value)}
	}
	return out
}

// valueOf encodes what this package and the standard's resources have.
func valueOf(v attribute.Value) *common.AnyValue {
	switch v.Type() {
	case attribute.BOOL:
		return &common.AnyValue{Value: &common.AnyValue_BoolValue{BoolValue: v.AsBool()}}
	case attribute.INT64:
		return &common.AnyValue{Value: &common.AnyValue_IntValue{IntValue: v.AsInt64()}}
	case attribute.FLOAT64:
		return &common.AnyValue{Value: &common.AnyValue_DoubleValue{DoubleValue: v.AsFloat64()}}
	}
	return &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: v.String()}}
}

// taken reads the answer of a collector that has taken a batch, or a part of it.
func taken(body []byte) answer {
	var r collector.ExportTraceServiceResponse
	if proto.Unmarshal(body, &r) != nil { // it was taken all the same
		return answer{}
	}
	partial := r.GetPartialSuccess()
	return answer{refused: partial.GetRejectedSpans(), why: partial.GetErrorMessage()}
}
