package egress

import (
	"net/http"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

func TestTrace(t *testing.T) {
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for _, tc := range []struct {
		name, parent, state string
		wantParent, want    string
	}{
		{"none", "", "", "", ""},
		{"both", parent, "a=b", parent, "a=b"},
		{"state at its limit", parent, "a=" + strings.Repeat("b", 510), parent, "a=" + strings.Repeat("b", 510)},
		{"state over it", parent, "a=" + strings.Repeat("b", 511), parent, ""},
		{"state alone", "", "a=b", "", ""},
		{"a version to come", "cc" + parent[2:] + "-more", "a=b", "cc" + parent[2:] + "-more", "a=b"},
		{"no such version", "ff" + parent[2:], "a=b", "", ""},
		{"more behind this version", parent + "-more", "a=b", "", ""},
		{"more without a dash", "cc" + parent[2:] + "more", "a=b", "", ""},
		{"endless", "cc" + parent[2:] + "-" + strings.Repeat("a", 30<<10), "a=b", "", ""},
		{"too short", parent[:54], "a=b", "", ""},
		{"upper case", strings.ToUpper(parent), "a=b", "", ""},
		{"no dash", strings.Replace(parent, "-", "0", 1), "a=b", "", ""},
		{"a dash too many", "0-" + parent[2:], "a=b", "", ""},
		{"text", strings.Repeat("x", 55), "a=b", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := Trace{RequestID: "r", Traceparent: tc.parent, Tracestate: tc.state}.checked()
			if want := (Trace{RequestID: "r", Traceparent: tc.wantParent, Tracestate: tc.want}); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

// TestStrangersTrace: nobody who asks the plugin can make its calls fail, and
// the service be left alone for that, with a trace no service would read.
func TestStrangersTrace(t *testing.T) {
	url := upstream(t, func(_ http.ResponseWriter, r *http.Request) {
		if size := len(r.Header.Get("Traceparent")) + len(r.Header.Get("Tracestate")); size > 8<<10 {
			panic(http.ErrAbortHandler) // as servers end connections whose header is too large
		}
	})
	c := client(t, nil, url)
	huge := strings.Repeat("a", 30<<10)
	for range 2 * breakAfter {
		s := c.Session(Trace{Traceparent: huge, Tracestate: huge}, kept(t))
		handle, _, _ := s.Open(&abi.HTTPRequest{Method: "POST", URL: url})
		if _, status, err := s.Send(t.Context(), []uint32{handle}); status != abi.OK || err != nil {
			t.Fatal(status, err)
		}
		if a := finish(t, &s, handle); a.status() != abi.OK {
			t.Errorf("%v %s", a.status(), a.head.Reason)
		}
		s.Close()
	}
}

// TestEachCallHasItsSpan: a service is told of the call that asks it, and a guest that
// says whose part it is has the last word.
func TestEachCallHasItsSpan(t *testing.T) {
	const own = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	told := make(chan string, 3)
	url := upstream(t, func(_ http.ResponseWriter, r *http.Request) { told <- r.Header.Get("Traceparent") })
	line := &trace.Timeline{Context: trace.Context{Trace: trace.NewTrace(), Span: trace.NewSpan(), Sampled: true}}
	s := client(t, nil, url).Session(Trace{Traceparent: own, Timeline: line}, kept(t))
	defer s.Close()
	for _, header := range [][]abi.Pair{nil, nil, {{Name: "traceparent", Value: own}}} {
		handle, _, why := s.Open(&abi.HTTPRequest{URL: url + "/a?key=s3cret", Headers: header})
		if _, status, err := s.Send(t.Context(), []uint32{handle}); status != abi.OK || err != nil {
			t.Fatal(status, err, why)
		}
	}
	_, calls, _ := line.Steps()
	if len(calls) != 3 {
		t.Fatalf("%d calls were noted", len(calls))
	}
	for i, c := range calls {
		want := line.Context
		want.Span = c.Span
		if got := <-told; (got == want.Parent()) != (i < 2) || (got == own) != (i == 2) {
			t.Errorf("call %d: the service was told %s, want %s", i, got, want.Parent())
		}
		if c.URL != url+"/a" || c.Status != 200 || c.Host != "127.0.0.1" || c.Port == 0 || c.Method != "GET" || c.End.Before(c.Start) {
			t.Errorf("noted %+v", c)
		}
	}
	if calls[0].Span == calls[1].Span {
		t.Error("two calls have one span")
	}
}
