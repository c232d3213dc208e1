package e2e

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/valyala/fasthttp"
)

// BenchmarkCache measures a hit of the cache beside Fiber's own hello and the same answer
// without the cache, and what 64 clients add to a key beside none, and beside 100,000 kept
// answers that rest on it.
func BenchmarkCache(b *testing.B) {
	s := serve(b, b.TempDir(), "--log-level", "warn", "--metrics", "127.0.0.1:0")
	s.deploy("cache", cacheGuest(b))
	s.deploy("go", pack(b, goGuest(b, "../../examples/hello"), "go"))
	rows := []*candidate{
		{name: "Fiber alone, hello", url: startBare(b).fiber + "/"},
		{name: "a hit", url: s.public + "/cache/hello"},
		{name: "Go guest, hello", url: s.public + "/go"},
	}
	alone := &visits{tally: tally{name: "beside nothing", path: "/cache/hot"}}
	beside := &visits{tally: tally{name: "beside 100,000 answers", path: "/cache/hot"}}
	var kept float64
	for b.Loop() {
		for range benchRounds {
			for _, c := range rows {
				c.rounds = append(c.rounds, load(b, c.url, c.body))
			}
			alone.run(b, s.public)
			s.fillCache(b, 100_000)
			kept = s.metric(`wasmoor_cache_entries{plugin="cache"}`)
			beside.run(b, s.public)
		}
	}
	b.Logf("\n%s%s%.0f answers were kept", table(rows), tallyTable("64 writers", &alone.tally, &beside.tally), kept)
	b.ReportMetric(0, "ns/op") // of a whole run: it means nothing
}

// fillCache has so many answers kept that rest on one key.
func (s *server) fillCache(b *testing.B, n int) {
	b.Helper()
	client := &fasthttp.Client{MaxConnsPerHost: 16}
	defer client.CloseIdleConnections()
	var all sync.WaitGroup
	for part := range 16 {
		all.Go(func() {
			req, res := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
			defer fasthttp.ReleaseRequest(req)
			defer fasthttp.ReleaseResponse(res)
			for i := part; i < n; i += 16 {
				req.SetRequestURI(fmt.Sprint(s.public, "/cache/hot/", i))
				if err := client.Do(req, res); err != nil || res.StatusCode() != http.StatusOK {
					b.Errorf("%d: %d, %v", i, res.StatusCode(), err)
					return
				}
			}
		})
	}
	all.Wait()
}
