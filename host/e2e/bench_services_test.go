package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

// manyCalls is how often a caller calls within a request: as often as it may by default.
const manyCalls = 20

// callingTiny calls the plugin "tiny" so often, and reads the head of each answer.
func callingTiny(calls int) []byte {
	const request, handles, buf, size = 1024, 2048, 4096, 4096
	head := abi.AppendHTTPRequest(nil, &abi.HTTPRequest{Method: "GET", URL: "http://tiny.wasmoor.internal/"})
	g := enginetest.NewBuilder(1)
	open, send, read, end := g.Native(abi.FnHTTPOpen), g.Native(abi.FnHTTPSend), g.Native(abi.FnHTTPHead), g.Native(abi.FnHTTPClose)
	code := new(enginetest.Code)
	for range calls {
		code.I32(handles + 4).I32(request).I32(uint32(len(head))).Call(open).Store64()
		code.I32(handles).I32(8).Call(send).Drop()
		for _, part := range []func(){
			func() { code.I32(buf).I32(size).Call(read).Drop() },
			func() { code.Call(end).Drop() },
		} {
			code.I32(handles + 4).Load64().Wrap()
			part()
		}
	}
	return g.Data(request, string(head)).Data(handles, "\x01\x00\x00\x00").Handle(code.I32(0)).Bytes()
}

// BenchmarkServices measures what a call of another plugin adds to a request: the time of
// requests with so many calls, over that of requests with none.
func BenchmarkServices(b *testing.B) {
	type row struct {
		name          string
		none, many    string
		took, without []time.Duration
	}
	var rows []*row
	besides(func(suffix string) {
		s := serve(b, b.TempDir(), "--log-level", "warn")
		s.deploy("tiny", pack(b, enginetest.Tiny(), "tiny"))
		services := []string{"[services]", `tiny = "tiny"`}
		s.deploy("none", pack(b, callingTiny(0), "none", services...))
		s.deploy("many", pack(b, callingTiny(manyCalls), "many", services...))
		s.deploy("go", pack(b, goGuest(b, "testdata/callguest"), "go", services...))
		goURL := func(n int) string {
			return fmt.Sprintf("%s/go/calls?n=%d&url=http://tiny.wasmoor.internal/", s.public, n)
		}
		rows = append(rows,
			&row{name: "tiny guest calls tiny guest" + suffix, none: s.public + "/none", many: s.public + "/many"},
			&row{name: "Go guest calls tiny guest" + suffix, none: goURL(0), many: goURL(manyCalls)})
	})
	ask := func(url string) time.Duration {
		start := time.Now()
		status, _, err := fasthttp.Get(nil, url)
		if err != nil || status != http.StatusOK && status != http.StatusNoContent {
			b.Fatalf("%s: %d, %v", url, status, err)
		}
		return time.Since(start)
	}
	for b.Loop() {
		for range 2000 {
			for _, r := range rows {
				r.without = append(r.without, ask(r.none))
				r.took = append(r.took, ask(r.many))
			}
		}
	}
	for _, r := range rows {
		slices.Sort(r.took)
		slices.Sort(r.without)
		few, many := r.without[len(r.without)/2], r.took[len(r.took)/2]
		b.Logf("%s: p50 %v without calls, %v with %d: %.1f times, %.1f µs a call",
			r.name, few, many, manyCalls, float64(many)/float64(few), float64(many-few)/manyCalls/float64(time.Microsecond))
	}
	b.ReportMetric(0, "ns/op") // of a whole run: it means nothing
}
