package e2e

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

// TestSlope loads a server evenly, with plugins of each kind, and finds that
// what it takes does not grow with time.
func TestSlope(t *testing.T) {
	duration := time.Duration(often(2, 600)) * time.Second
	s := serve(t, t.TempDir(), "--log-level", "error")
	l := &loaded{server: s, wishes: mixed(t, s)}
	ctx, stop := context.WithTimeout(t.Context(), duration)
	defer stop()
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() { l.askOn(ctx, t) })
	}
	series := sample(ctx, t, s, max(duration/120, 100*time.Millisecond))
	clients.Wait()
	t.Logf("%d requests in %v\n%s", l.requests.Load(), duration, tableOf(series))
	judge(t, series[len(series)/3:], duration)
}

// wish is a request and the text its answer has.
type wish struct{ method, path, body, want string }

// mixed deploys a plugin of each kind, and returns requests to them. What they
// write is few records, again and again.
func mixed(t *testing.T, s *server) []wish {
	t.Helper()
	large := strings.Repeat("0123456789abcdef", 1<<16)
	s.deploy("tiny", pack(t, enginetest.Tiny(), "tiny"))
	s.deploy("hello", pack(t, goGuest(t, "../../examples/hello"), "hello", "[[route]]", `pattern = "GET /{name}"`))
	s.deploy("echo", pack(t, enginetest.Echo(), "echo", "[limits]", `request_body = "2MiB"`, `response_body = "2MiB"`))
	s.deploy("ledger", pack(t, enginetest.Ledger("moved"), "ledger", "[kv]"))
	s.deploy("count", pack(t, goGuest(t, "../../examples/extism-count"), "count", `abi = "extism"`, "[[route]]", `pattern = "POST /"`, `export = "count_vowels"`))
	wishes := []wish{{"POST", "/echo/", large, large}, {"POST", "/ledger/", "a>b:1", "moved"}, {"POST", "/ledger/", "b>a:2", "moved"}}
	for range 16 {
		wishes = append(wishes, wish{"POST", "/count/", "vowels", `"count":2`})
	}
	for range 40 {
		wishes = append(wishes, wish{"GET", "/tiny/", "", "hello"}, wish{"GET", "/hello/you", "", "you"})
	}
	return wishes
}

// loaded is a server under the load of TestSlope.
type loaded struct {
	server   *server
	wishes   []wish
	requests atomic.Int64
}

// askOn sends requests, 200 a second at most, of which none may fail.
func (l *loaded) askOn(ctx context.Context, t *testing.T) {
	for ctx.Err() == nil {
		a := l.wishes[int(l.requests.Add(1))%len(l.wishes)]
		got, err := l.server.try(context.WithoutCancel(ctx), a.method, a.path, a.body)
		if err != nil || got.status != 200 || !strings.Contains(got.body, a.want) {
			t.Errorf("%s %s: %d, %v", a.method, a.path, got.status, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// sample looks at a server every so often until ctx ends.
func sample(ctx context.Context, t *testing.T, s *server, every time.Duration) (series []point) {
	t.Helper()
	start, tick := time.Now(), time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			series = append(series, point{time.Since(start), "", sizeOf(t, s)})
		case <-ctx.Done():
			return series
		}
	}
}

// slopeSpan is the time in which what a server takes must not grow by slopeMost of what
// it is.
const slopeSpan, slopeMost = 10 * time.Minute, 0.05

// judge fails a test whose server grows. A shorter load than slopeSpan is only
// reported: what the collector leaves from one time to the next is a tenth of the
// memory, and bends a line through a few minutes.
func judge(t *testing.T, series []point, duration time.Duration) {
	t.Helper()
	for name, of := range map[string]func(size) int{
		"KiB of memory": func(s size) int { return s.rss - 2*s.table }, // no new keys: see size.settled
		"descriptors":   func(s size) int { return s.descriptors },
		"threads":       func(s size) int { return s.threads },
	} {
		level, growth := trend(series, of)
		t.Logf("%s: %.0f, %+.1f in %v", name, level, growth*slopeSpan.Seconds(), slopeSpan)
		if duration >= slopeSpan && growth*slopeSpan.Seconds() > slopeMost*level {
			t.Errorf("%s grow from %.0f by %.1f in %v", name, level, growth*slopeSpan.Seconds(), slopeSpan)
		}
	}
}

// trend fits a line by least squares, and returns its mean and what it rises in
// a second.
func trend(series []point, of func(size) int) (mean, slope float64) {
	var at, n float64
	for _, p := range series {
		at += p.after.Seconds()
		mean += float64(of(p.at))
		n++
	}
	at, mean = at/n, mean/n
	var up, wide float64
	for _, p := range series {
		d := p.after.Seconds() - at
		up += d * (float64(of(p.at)) - mean)
		wide += d * d
	}
	return mean, up / wide
}
