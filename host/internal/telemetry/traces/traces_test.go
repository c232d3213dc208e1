package traces

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	pb "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

// received is a collector that keeps what it is sent.
type received struct {
	URL string

	mu      sync.Mutex
	batches []*collector.ExportTraceServiceRequest
	headers []http.Header
	answers []func(http.ResponseWriter) // of the first requests; then 200
}

func collecting(t *testing.T, answers ...func(http.ResponseWriter)) *received {
	t.Helper()
	r := &received{answers: answers}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.headers = append(r.headers, req.Header)
		if len(r.answers) > 0 {
			answer := r.answers[0]
			r.answers = r.answers[1:]
			if answer != nil {
				answer(w)
				return
			}
		}
		var body io.Reader = req.Body
		if req.Header.Get("Content-Encoding") == "gzip" {
			unpacked, err := gzip.NewReader(body)
			if err != nil {
				t.Error(err)
				return
			}
			body = unpacked
		}
		data, err := io.ReadAll(body)
		var batch collector.ExportTraceServiceRequest
		if err != nil || proto.Unmarshal(data, &batch) != nil {
			t.Errorf("no OTLP: %v", err)
		}
		r.batches = append(r.batches, &batch)
	}))
	t.Cleanup(s.Close)
	r.URL = s.URL
	return r
}

func (r *received) spans() (list []*pb.Span) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range r.batches {
		for _, rs := range b.ResourceSpans {
			for _, ss := range rs.ScopeSpans {
				list = append(list, ss.Spans...)
			}
		}
	}
	return list
}

func status(code int, header ...string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
	}
}

// lines is a log.
type lines struct {
	mu  sync.Mutex
	out bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.String()
}

func tracing(t *testing.T, url string, log io.Writer, env ...string) *Tracer {
	t.Helper()
	cfg, on, err := FromEnv(said(append([]string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + url, "OTEL_BSP_SCHEDULE_DELAY=1"}, env...)...))
	if !on || err != nil {
		t.Fatal(on, err)
	}
	tracer := New(cfg, "1.2.3", func(fault.Code) int { return 502 }, slog.New(slog.NewTextHandler(log, nil)))
	t.Cleanup(func() { _ = tracer.Close(t.Context()) })
	return tracer
}

func asked(traceparent string) *invoke.Request {
	r := &invoke.Request{Head: abi.RequestHead{Method: "POST", Mount: "/shop", Scheme: "https", Host: "example.org"}}
	if traceparent != "" {
		r.Head.Headers = []abi.Pair{{Name: "traceparent", Value: traceparent}, {Name: "tracestate", Value: "a=b"}}
	}
	return r
}

// observe traces a request that does nothing.
func observe(tracer *Tracer) {
	tracer.Observe(nil, &trace.Record{Method: "GET", Status: 200, Timeline: tracer.Begin(asked(""))})
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("in vain for %s", what)
		}
	}
}

const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// TestSpans: what becomes of a request that was run again after a conflict, and that
// called a service.
func TestSpans(t *testing.T) {
	c := collecting(t)
	tracer := tracing(t, c.URL, io.Discard, "OTEL_SERVICE_NAME=moor", "OTEL_EXPORTER_OTLP_HEADERS=api-key=k")
	line := tracer.Begin(asked(parent))
	at := func(ms int) time.Time { return line.Began.Add(time.Duration(ms) * time.Millisecond) }
	line.Step(trace.Admission, at(0), at(1), 0)
	line.Attempt(1)
	line.Step(trace.Wake, at(1), at(3), time.Millisecond)
	called := trace.NewSpan()
	line.Call(trace.Call{Span: called, Method: "GET", URL: "https://api.example.org/rates", Host: "api.example.org", Status: 404, Start: at(3), End: at(4)})
	line.Step(trace.Run, at(3), at(5), 0)
	line.Step(trace.Commit, at(5), at(6), 0)
	line.Step(trace.Again, at(6), at(6), 0)
	line.Attempt(2)
	line.Step(trace.Run, at(6), at(7), 0)
	tracer.Observe(nil, &trace.Record{
		ID: "id", Plugin: "shop", Version: 3, Method: "POST", Path: "/shop/orders/7", Pattern: "POST /orders/{id}",
		Attempts: 2, Outcome: trace.Aborted, Code: "trap", Error: "it trapped", Timeline: line,
	})
	if err := tracer.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got []string
	ids := map[string]string{"": "-", "b7ad6b7169203331": "remote"}
	spans := c.spans()
	for _, s := range spans {
		ids[hex.EncodeToString(s.SpanId)] = s.Name
	}
	for _, s := range spans {
		if hex.EncodeToString(s.TraceId) != parent[3:35] {
			t.Errorf("%s is of trace %x", s.Name, s.TraceId)
		}
		got = append(got, s.Kind.String()[len("SPAN_KIND_"):]+" "+s.Name+" of "+ids[hex.EncodeToString(s.ParentSpanId)])
	}
	slices.Sort(got)
	want := []string{
		"CLIENT GET of run", "INTERNAL admission of POST /shop/orders/{id}", "INTERNAL commit of POST /shop/orders/{id}",
		"INTERNAL run of POST /shop/orders/{id}", "INTERNAL run of POST /shop/orders/{id}", "INTERNAL run queue of POST /shop/orders/{id}",
		"INTERNAL wake of POST /shop/orders/{id}", "SERVER POST /shop/orders/{id} of remote",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if ids[hex.EncodeToString(called[:])] != "GET" {
		t.Error("the call has another id than the service was told")
	}
	server := spans[slices.IndexFunc(spans, func(s *pb.Span) bool { return s.Kind == pb.Span_SPAN_KIND_SERVER })]
	of := attributes(server.Attributes)
	for name, want := range map[string]string{
		"http.request.method": "POST", "http.route": "/shop/orders/{id}", "url.path": "/shop/orders/7", "url.scheme": "https",
		"server.address": "example.org", "http.response.status_code": "502", "error.type": "trap",
		"wasmoor.plugin": "shop", "wasmoor.version": "3", "wasmoor.outcome": "aborted", "wasmoor.attempts": "2", "wasmoor.request_id": "id",
	} {
		if of[name] != want {
			t.Errorf("%s is %q, want %q", name, of[name], want)
		}
	}
	if server.Status.Code != pb.Status_STATUS_CODE_ERROR || server.Status.Message != "it trapped" || server.TraceState != "a=b" {
		t.Errorf("status %v, state %q", server.Status, server.TraceState)
	}
	if len(server.Events) != 1 || server.Events[0].Name != "re-run" || attributes(server.Events[0].Attributes)["wasmoor.attempt"] != "2" {
		t.Errorf("events %v", server.Events)
	}
	resource := attributes(c.batches[0].ResourceSpans[0].Resource.Attributes)
	if resource["service.name"] != "moor" || resource["service.version"] != "1.2.3" {
		t.Errorf("resource %v", resource)
	}
	if h := c.headers[0]; h.Get("Api-Key") != "k" || h.Get("Content-Type") != "application/x-protobuf" {
		t.Errorf("header %v", h)
	}
}

func attributes(list []*common.KeyValue) map[string]string {
	of := map[string]string{}
	for _, a := range list {
		if a.Value.GetStringValue() != "" {
			of[a.Key] = a.Value.GetStringValue()
		} else {
			of[a.Key] = strings.TrimPrefix(a.Value.String(), "int_value:")
		}
	}
	return of
}

// TestSampling: whoever asked decides, else the sampler does; the context is passed on
// either way.
func TestSampling(t *testing.T) {
	c := collecting(t)
	unsampled := parent[:53] + "00"
	for _, tt := range []struct {
		sampler, parent string
		want            bool
	}{
		{"", "", true},
		{"", parent, true},
		{"", unsampled, false},
		{"", "nonsense", true},
		{"parentbased_always_off", "", false},
		{"parentbased_always_off", parent, true},
		{"always_off", parent, false},
		{"always_on", unsampled, true},
	} {
		tracer := tracing(t, c.URL, io.Discard, "OTEL_TRACES_SAMPLER="+tt.sampler)
		line := tracer.Begin(asked(tt.parent))
		if line.Sampled != tt.want {
			t.Errorf("sampler %q, parent %q: sampled %v", tt.sampler, tt.parent, line.Sampled)
		}
		if got, ok := trace.Parse(line.Context.Parent()); !ok || got != line.Context || (line.ID() == parent[3:35]) != (len(tt.parent) == len(parent)) {
			t.Errorf("parent %q becomes %q", tt.parent, line.Context.Parent())
		}
		tracer.Observe(nil, &trace.Record{Method: "GET", Status: 200, Timeline: line})
		if err := tracer.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := len(c.spans()); (got == 1) != tt.want {
			t.Errorf("sampler %q, parent %q: %d spans", tt.sampler, tt.parent, got)
		}
		c.mu.Lock()
		c.batches = nil
		c.mu.Unlock()
	}
}

// TestMethodsOfNoNumber: a client cannot make names without end.
func TestMethodsOfNoNumber(t *testing.T) {
	c := collecting(t)
	tracer := tracing(t, c.URL, io.Discard)
	tracer.Observe(nil, &trace.Record{Method: "BREW", Status: 200, Timeline: tracer.Begin(asked(""))})
	_ = tracer.Close(t.Context())
	s := c.spans()[0]
	of := attributes(s.Attributes)
	if s.Name != "HTTP /shop" || of["http.request.method"] != "_OTHER" || of["http.request.method_original"] != "BREW" {
		t.Errorf("%s %v", s.Name, of)
	}
}

// TestRetry: a collector that cannot for now is asked again, no sooner than it says.
func TestRetry(t *testing.T) {
	c := collecting(t, status(503, "Retry-After", "1"), status(429), nil)
	var log lines
	tracer := tracing(t, c.URL, &log)
	observe(tracer)
	until(t, "the span", func() bool { return len(c.spans()) == 1 })
	until(t, "its count", func() bool { sent, dropped := tracer.Totals(); return sent == 1 && dropped == 0 })
	if log.String() != "" {
		t.Errorf("logged %s", log.String())
	}
}

// TestDropped: what the collector refuses is dropped, and the log says so once, until
// it takes spans again.
func TestDropped(t *testing.T) {
	partly := func(w http.ResponseWriter) {
		body, _ := proto.Marshal(&collector.ExportTraceServiceResponse{PartialSuccess: &collector.ExportTracePartialSuccess{RejectedSpans: 1, ErrorMessage: "too old"}})
		_, _ = w.Write(body)
	}
	c := collecting(t, status(400), status(302, "Location", "http://elsewhere/"), partly, nil)
	var log lines
	tracer := tracing(t, c.URL, &log)
	for n := range 3 {
		observe(tracer)
		until(t, "a drop", func() bool { _, dropped := tracer.Totals(); return dropped == int64(n+1) })
	}
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "spans are dropped") || !strings.Contains(got, "400 Bad Request") {
		t.Errorf("logged %s", got)
	}
	observe(tracer)
	until(t, "news", func() bool { return strings.Contains(log.String(), `"spans are sent again" dropped=3`) })
}

// TestQueue: a collector that does not answer takes neither a request's time nor
// memory without end, and does not delay a stop for long.
func TestQueue(t *testing.T) {
	hold := make(chan struct{})
	c := collecting(t, func(http.ResponseWriter) { <-hold })
	var log lines
	tracer := tracing(t, c.URL, &log)
	for range 2*maxQueue + maxBatch {
		observe(tracer)
	}
	if _, dropped := tracer.Totals(); dropped < maxQueue-maxBatch || dropped > 2*maxQueue {
		t.Errorf("%d of %d spans were dropped", dropped, 2*maxQueue+maxBatch)
	}
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, errFull.Error()) {
		t.Errorf("logged %s", got)
	}
	close(hold)
	if err := tracer.Close(t.Context()); err != nil {
		t.Error(err)
	}
	sent, dropped := tracer.Totals()
	if sent+dropped != 2*maxQueue+maxBatch || int64(len(c.spans())) > sent {
		t.Errorf("%d sent, %d dropped", sent, dropped)
	}
	observe(tracer) // after the end
}

// TestNobodyListens: the log says so, and Close ends in time.
func TestNobodyListens(t *testing.T) {
	s := httptest.NewServer(nil)
	s.Close()
	var log lines
	tracer := tracing(t, s.URL, &log)
	observe(tracer)
	start := time.Now()
	if err := tracer.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took > 2*lastTry {
		t.Errorf("it took %v", took)
	}
	if got := log.String(); !strings.Contains(got, "spans are dropped") {
		t.Errorf("logged %q", got)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 29, 5, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "86400": maxWait, "-1": 0, "x": 0,
		"Sun, 29 Nov 2026 05:00:05 GMT": 5 * time.Second, "Sun, 29 Nov 2020 05:00:05 GMT": 0,
	} {
		if got := retryAfter(text, now); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

// TestNoGRPC: the exporter of OpenTelemetry's own would bring gRPC, which is as large as
// all of wasmoor's HTTP.
func TestNoGRPC(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "github.com/wasmoor/wasmoor/host/cmd/wasmoor").Output()
	if err != nil {
		t.Fatal(err)
	}
	deps := strings.Fields(string(out))
	if !slices.Contains(deps, "go.opentelemetry.io/otel/sdk/trace") {
		t.Error("the program does not trace")
	}
	for _, dep := range deps {
		if strings.HasPrefix(dep, "google.golang.org/grpc") {
			t.Errorf("the program has %s", dep)
		}
	}
}
