package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func cacheGuest(t testing.TB, lines ...string) []byte {
	routes := []string{"[kv]"}
	for _, pattern := range []string{"POST /count/{key}", "POST /hot", "POST /brief"} {
		routes = append(routes, "[[route]]", fmt.Sprintf("pattern = %q", pattern))
	}
	for _, pattern := range []string{"GET /count/{key}", "GET /sum", "GET /hot/{any}", "GET /brief", "GET /mine", "GET /language", "GET /clock", "GET /hello"} {
		routes = append(routes, "[[route]]", fmt.Sprintf("pattern = %q", pattern), `cache = "1h"`)
	}
	routes = append(routes, "[[route]]", `pattern = "GET /rough"`, `cache = "1h"`, `cache_ignores = ["clock"]`)
	routes = append(routes, "[[route]]", `pattern = "GET /renewed"`, `cache = "20ms"`, `stale_while_revalidate = "1h"`, `cache_ignores = ["clock"]`)
	return pack(t, goGuest(t, "testdata/cacheguest"), "cache", append(routes, lines...)...)
}

// ask sends a request with header fields.
func (s *server) ask(method, path string, fields ...string) answer {
	s.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, s.public+path, http.NoBody)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(fields); i += 2 {
		req.Header.Set(fields[i], fields[i+1])
	}
	a, err := roundTrip(req)
	if err != nil {
		s.t.Fatalf("%s %s: %v\n%s", method, path, err, s.log)
	}
	return a
}

const (
	cacheHit    = "wasmoor; hit"
	cacheStored = "wasmoor; fwd=uri-miss; stored"
)

// TestCache follows answers that are kept over HTTP: what is said of them, and what ends
// them.
func TestCache(t *testing.T) {
	s := serve(t, t.TempDir(), "--metrics", "127.0.0.1:0")
	s.deploy("cache", cacheGuest(t))
	wants := func(a answer, status int, body, said string) {
		t.Helper()
		if a.status != status || a.body != body || a.header.Get("Cache-Status") != said {
			t.Errorf("got %v, which says %q; want %d %q and %q", a, a.header.Get("Cache-Status"), status, body, said)
		}
	}
	wants(s.get("/cache/count/a"), 404, "0", cacheStored)
	wants(s.get("/cache/count/a"), 404, "0", cacheHit)
	s.do("POST", "/cache/count/a", "")
	first := s.get("/cache/count/a")
	wants(first, 200, "1", cacheStored)
	again := s.get("/cache/count/a")
	wants(again, 200, "1", cacheHit)
	if age, err := strconv.Atoi(again.header.Get("Age")); err != nil || age < 0 || age > 60 {
		t.Errorf("an age of %q", again.header.Get("Age"))
	}
	tag := first.header.Get("Etag")
	if tag == "" || again.header.Get("Etag") != tag || again.header.Get("X-Request-Id") == first.header.Get("X-Request-Id") {
		t.Errorf("%v and %v", first.header, again.header)
	}
	wants(s.ask("GET", "/cache/count/a", "If-None-Match", tag), 304, "", cacheHit)
	if head := s.ask("HEAD", "/cache/count/a"); head.status != 200 || head.body != "" || head.header.Get("Content-Length") != "1" || head.header.Get("Cache-Status") != cacheHit {
		t.Errorf("HEAD: %v %v", head, head.header)
	}
	// What does not concern it leaves it alone, and a walk rests on what was not there.
	wants(s.get("/cache/sum"), 200, "1", cacheStored)
	s.do("POST", "/cache/count/b", "")
	wants(s.get("/cache/count/a"), 200, "1", cacheHit)
	wants(s.get("/cache/sum"), 200, "2", cacheStored)
	wants(s.ask("GET", "/cache/count/a?x=1", "If-None-Match", tag), 304, "", cacheStored)
	wants(s.ask("GET", "/cache/count/a", "Range", "bytes=0-0"), 200, "1", "")
	// Whom it is for.
	wants(s.get("/cache/mine"), 200, "0.0.0.0", cacheStored)
	wants(s.ask("GET", "/cache/mine", "Authorization", "anna"), 200, "anna0.0.0.0", "wasmoor; fwd=request; detail=credentials")
	wants(s.get("/cache/mine"), 200, "0.0.0.0", cacheHit)
	for _, a := range [][2]string{{"de", cacheStored}, {"en", "wasmoor; fwd=vary-miss; stored"}, {"de", cacheHit}, {"en", cacheHit}} {
		wants(s.ask("GET", "/cache/language", "Accept-Language", a[0], "Cookie", "a=b"), 200, a[0], a[1])
	}
	// What it looks at in addition.
	if a, b := s.get("/cache/clock"), s.get("/cache/clock"); a.body == b.body || b.header.Get("Cache-Status") != "wasmoor; fwd=uri-miss; detail=clock" {
		t.Errorf("at two times it is %v and %v: %s", a, b, b.header.Get("Cache-Status"))
	}
	if a, b := s.get("/cache/rough"), s.get("/cache/rough"); a.body != b.body {
		t.Errorf("it ignores the clock, and is %v and %v", a, b)
	}
	// A value that ends.
	s.do("POST", "/cache/brief", "")
	if a := s.get("/cache/brief"); a.body == "here" {
		if err := until(t.Context(), func() bool { return s.get("/cache/brief").body == "" }); err != nil {
			t.Error("the answer outlives the value that it rests on")
		}
	}
	// Another version, a pause.
	s.deploy("cache", cacheGuest(t, "[limits]", `deadline = "7s"`))
	wants(s.get("/cache/count/a"), 200, "1", cacheStored)
	s.mustCLI("", "pause", "cache")
	if a := s.get("/cache/count/a"); a.status != 503 {
		t.Errorf("a paused plugin answers %v", a)
	}
	s.mustCLI("", "resume", "cache")
	wants(s.get("/cache/count/a"), 200, "1", cacheHit)
	for _, name := range []string{
		`wasmoor_cache_requests_total{outcome="hit",plugin="cache",route="GET /count/{key}"}`, `wasmoor_cache_requests_total{outcome="passed",plugin="cache",route="GET /clock"}`,
		`wasmoor_cache_ended_total{plugin="cache",reason="change",route="GET /sum"}`, `wasmoor_cache_bytes{plugin="cache"}`,
	} {
		if n := s.metric(name); n <= 0 {
			t.Errorf("%s is %v", name, n)
		}
	}
}

// TestCacheRenews: clients do not wait while an answer is made anew whose time is over.
func TestCacheRenews(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir(), "--metrics", "127.0.0.1:0")
	s.deploy("cache", cacheGuest(t))
	first := s.get("/cache/renewed")
	stale, renewed := false, false
	if err := until(t.Context(), func() bool {
		a := s.get("/cache/renewed")
		said := a.header.Get("Cache-Status")
		stale = stale || a.body == first.body && strings.HasPrefix(said, "wasmoor; hit; ttl=-")
		renewed = renewed || a.body != first.body
		if !strings.HasPrefix(said, cacheHit) {
			t.Fatalf("a client had to wait: %q", said)
		}
		return stale && renewed
	}); err != nil {
		t.Errorf("stale: %v, renewed: %v", stale, renewed)
	}
	if n := s.metric(`wasmoor_cache_requests_total{outcome="stale",plugin="cache",route="GET /renewed"}`); n <= 0 {
		t.Errorf("%v were stale", n)
	}
}

// TestCacheIsNeverStale has clients read through the cache while others write: each reads
// at least what was acknowledged before it asked, and never less than it has read before.
func TestCacheIsNeverStale(t *testing.T) {
	s := serve(t, t.TempDir(), "--log-level", "warn", "--metrics", "127.0.0.1:0")
	s.deploy("cache", cacheGuest(t))
	const keys, readers = 4, 16
	requests := int64(often(20_000, 1_000_000))
	var acked [keys]atomic.Int64
	var asked atomic.Int64
	stop := make(chan struct{})
	var writing, reading sync.WaitGroup
	for key := range keys {
		writing.Go(func() {
			for pause := time.Duration(0); ; pause = (pause + time.Millisecond) % (8 * time.Millisecond) {
				select {
				case <-stop:
					return
				case <-time.After(pause):
				}
				a := s.do("POST", fmt.Sprint("/cache/count/", key), "")
				n, err := strconv.ParseInt(a.body, 10, 64)
				if a.status != 200 || err != nil {
					t.Errorf("a write: %v", a)
					return
				}
				acked[key].Store(n)
			}
		})
	}
	for reader := range readers {
		reading.Go(func() {
			var last [keys]int64
			var lastSum int64
			for i := reader; asked.Add(1) <= requests; i++ {
				key := i % (keys + 1)
				if key == keys {
					before := int64(0)
					for k := range acked {
						before += acked[k].Load()
					}
					lastSum = s.readsCount(t, "/cache/sum", max(before, lastSum))
					continue
				}
				before := acked[key].Load()
				last[key] = s.readsCount(t, fmt.Sprint("/cache/count/", key), max(before, last[key]))
			}
		})
	}
	reading.Wait()
	close(stop)
	writing.Wait()
	var written int64
	for key := range acked {
		written += acked[key].Load()
	}
	hits, kept := s.metric(`wasmoor_cache_requests_total{outcome="hit",plugin="cache",route="GET /count/{key}"}`), s.metric(`wasmoor_cache_requests_total{outcome="kept",plugin="cache",route="GET /count/{key}"}`)
	t.Logf("%d requests, %d writes, %.0f hits and %.0f runs of one route", requests, written, hits, kept)
	if hits <= 0 || kept <= 0 || written == 0 {
		t.Error("nothing was tried")
	}
}

// readsCount reads a number that is not less than another.
func (s *server) readsCount(t *testing.T, path string, least int64) int64 {
	t.Helper()
	a := s.get(path)
	n, err := strconv.ParseInt(strings.TrimSpace(a.body), 10, 64)
	if err != nil || a.status != 200 && a.status != 404 {
		t.Errorf("%s: %v", path, a)
	} else if n < least {
		t.Errorf("%s: %d, which is older than %d (%s)", path, n, least, a.header.Get("Cache-Status"))
	}
	return max(n, least)
}
