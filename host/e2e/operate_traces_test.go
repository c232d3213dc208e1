package e2e

import (
	"compress/gzip"
	"context"
	"encoding/hex"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	pb "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// spans is a collector: it keeps the spans that it is sent.
type spans struct {
	mu   sync.Mutex
	list []*pb.Span
}

func (s *spans) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	unpacked, err := gzip.NewReader(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	data, err := io.ReadAll(unpacked)
	var batch collector.ExportTraceServiceRequest
	if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(data, &batch) != nil {
		http.Error(w, "no OTLP", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rs := range batch.ResourceSpans {
		for _, ss := range rs.ScopeSpans {
			s.list = append(s.list, ss.Spans...)
		}
	}
}

// of returns the spans of a trace, once there is one of its server.
func (s *spans) of(t *testing.T, id string) (list []*pb.Span) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		s.mu.Lock()
		list = slices.Collect(func(yield func(*pb.Span) bool) {
			for _, one := range s.list {
				if hex.EncodeToString(one.TraceId) == id && !yield(one) {
					return
				}
			}
		})
		s.mu.Unlock()
		if slices.ContainsFunc(list, func(one *pb.Span) bool { return one.Kind == pb.Span_SPAN_KIND_SERVER }) {
			return list
		}
	}
	t.Fatalf("no span of trace %s came", id)
	return nil
}

// TestTraces has a collector hear of a request that calls a service and is run again
// after a conflict, as a part of the client's trace, and the service of its place in it.
func TestTraces(t *testing.T) {
	t.Parallel()
	var heard spans
	to := service(t, heard.ServeHTTP)
	cmd := exec.Command(binary, "serve", "--data", t.TempDir(), "--public", "127.0.0.1:0", "--admin", "127.0.0.1:0",
		"--outbound-allow-networks", "127.0.0.1/32", "--server-timing")
	dir := cmd.Args[3]
	cmd.Env = append(os.Environ(), "OTEL_EXPORTER_OTLP_ENDPOINT="+to, "OTEL_BSP_SCHEDULE_DELAY=20", "OTEL_SERVICE_NAME=moor")
	s, ready, err := launchAs(t, dir, cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.stop)
	if err := s.await(ready); err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int64
	var told atomic.Value
	origin := service(t, func(_ http.ResponseWriter, r *http.Request) {
		told.Store(r.Header.Get("Traceparent"))
		if asked.Add(1) == 1 {
			_, _ = s.try(context.Background(), "POST", "/traced/bump", "")
		}
	})
	s.deploy("traced", pack(t, goGuest(t, "testdata/fetchguest"), "traced", "[kv]", allowing(origin)))

	const id, caller = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.public+"/traced/conflict?method=GET", strings.NewReader(origin))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Traceparent", "00-"+id+"-"+caller+"-01")
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if resp.StatusCode != 200 || string(body) != "2" {
		t.Fatalf("%d %s, want an answer of the second attempt", resp.StatusCode, body)
	}
	if got := resp.Header.Get("Server-Timing"); !strings.Contains(got, "queue;dur=") || !strings.Contains(got, "out;dur=") {
		t.Errorf("Server-Timing: %q", got)
	}

	list := heard.of(t, id)
	named := map[string]*pb.Span{}
	for _, one := range list {
		named[one.Name] = one // of two runs the second, which comes last
	}
	server := named["POST /traced/conflict"]
	if server == nil || hex.EncodeToString(server.ParentSpanId) != caller || len(server.Events) != 1 || server.Events[0].Name != "re-run" {
		t.Fatalf("the span of the server is %v, of %v", server, list)
	}
	call := named["GET"]
	if want := "00-" + id + "-" + hex.EncodeToString(call.GetSpanId()) + "-01"; call == nil || told.Load() != want {
		t.Fatalf("the service was told %v, and the span of the call is %v", told.Load(), call)
	}
	runs := 0
	for _, one := range list {
		parent := hex.EncodeToString(one.ParentSpanId)
		switch {
		case one.Name == "run":
			runs++
			fallthrough
		case one.Kind == pb.Span_SPAN_KIND_INTERNAL:
			if parent != hex.EncodeToString(server.SpanId) {
				t.Errorf("%s is of %s, want the server's", one.Name, parent)
			}
		}
		if one.EndTimeUnixNano < one.StartTimeUnixNano || one.StartTimeUnixNano < server.StartTimeUnixNano || one.EndTimeUnixNano > server.EndTimeUnixNano {
			t.Errorf("%s is not within the server's time", one.Name)
		}
	}
	if runs != 2 || named["commit"] == nil {
		t.Errorf("%d runs, commit %v", runs, named["commit"])
	}
	if !slices.ContainsFunc(list, func(one *pb.Span) bool { return one.Name == "run" && slices.Equal(one.SpanId, call.ParentSpanId) }) {
		t.Error("the call is not a part of a run")
	}
	if got := s.log.String(); !strings.Contains(got, id) {
		t.Error("the access log does not name the trace")
	}
}
