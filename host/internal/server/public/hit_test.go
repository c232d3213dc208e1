package public

import (
	"bufio"
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/cache"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
	"github.com/wasmoor/wasmoor/host/internal/store/badger"
	"github.com/wasmoor/wasmoor/host/internal/telemetry/tally"
)

// changing has a test change what a lookup finds.
type changing struct {
	caching
	change func(*Match)
}

func (r *changing) Route(method, host, path string, params []abi.Pair, c deploy.Client) Match {
	if r.change == nil {
		return r.caching.Route(method, host, path, params, c)
	}
	m := r.caching.Route(method, host, path, params, c)
	r.change(&m)
	return m
}

// hitting returns a listener whose answers are kept, its guest, and its routes.
func hitting(tb testing.TB, handle func(*invoke.Invocation) (dispatch.Result, error), change ...func(*Config)) (*Public, *guest, *changing) {
	tb.Helper()
	s, err := badger.Open(badger.Config{Dir: tb.TempDir(), MinFree: -1, ScrubEvery: -1})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	g := &guest{handle: func(inv *invoke.Invocation) (dispatch.Result, error) {
		res, err := handle(inv)
		if inv.Request.Seen != nil {
			inv.Request.Seen(inv)
		}
		return res, err
	}}
	g.plugin.Meter.Begin(stub.Version)
	routes := &changing{caching: caching{mounted{g}}}
	cfg := Config{Routes: routes, Cache: cache.New(s)}
	for _, f := range change {
		f(&cfg)
	}
	p := newPublic(cfg)
	return p, g, routes
}

// short asks the shortcut alone.
func short(p *Public, request string) string {
	return string(p.shortcut(nil, []byte(request), loopback, time.Now()))
}

var loopback = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}

// shortAnswer is what a client reads of what the shortcut says.
func shortAnswer(tb testing.TB, p *Public, method, request string) servertest.Response {
	tb.Helper()
	r := bufio.NewReader(strings.NewReader(short(p, request)))
	res := servertest.Receive(tb, r, method)
	if rest, _ := io.ReadAll(r); len(rest) > 0 {
		tb.Errorf("the answer goes on with %q", rest)
	}
	return res
}

// said is what an answer says, but for what differs from one to the next.
func said(tb testing.TB, r servertest.Response) []any {
	tb.Helper()
	if _, err := http.ParseTime(r.Header.Get("Date")); err != nil {
		tb.Errorf("Date: %v", err)
	}
	id, age := r.Header.Values("X-Request-Id"), r.Header.Values("Age")
	if len(id) != 1 || len(id[0]) != 26 || len(age) != 1 || strings.Trim(age[0], "0123456789") != "" || len(r.Header.Values("Date")) != 1 {
		tb.Errorf("the answer has %v", r.Header)
	}
	for _, name := range []string{"Date", "X-Request-Id", "Age"} {
		r.Header.Del(name)
	}
	return []any{r.Status, r.Proto, r.ContentLength, r.TransferEncoding, r.Close, r.Header, r.Text}
}

// TestShortcutSaysTheSame: a hit that takes the shortcut is the one that the handler's way
// would give.
func TestShortcutSaysTheSame(t *testing.T) {
	pair := func(name, value string) abi.Pair { return abi.Pair{Name: name, Value: value} }
	const since, tag = "Wed, 21 Oct 2015 07:28:00 GMT", `"t"`
	for name, a := range map[string]struct {
		status  int
		body    string
		headers []abi.Pair
	}{
		"text":            {200, "hello", []abi.Pair{pair("content-type", "text/plain"), pair("cache-control", "public")}},
		"no type":         {200, "hello", nil},
		"nothing":         {200, "", nil},
		"nothing typed":   {200, "", []abi.Pair{pair("Content-Type", "text/css")}},
		"no content":      {204, "", nil},
		"not found":       {404, "no", []abi.Pair{pair("content-type", "text/html")}},
		"moved":           {301, "", []abi.Pair{pair("Location", "/b")}},
		"of the host":     {200, "x", []abi.Pair{pair("date", "never"), pair("X-Request-ID", "x"), pair("age", "7"), pair("Idempotent-Replayed", "x")}},
		"two of each":     {200, "x", []abi.Pair{pair("content-type", "a/b"), pair("content-type", "c/d"), pair("link", "a"), pair("Link", "b"), pair("server", "a"), pair("Server", "b")}},
		"encoded":         {200, "x", []abi.Pair{pair("content-encoding", "br"), pair("vary", "accept-encoding")}},
		"tagged":          {200, "x", []abi.Pair{pair("etag", tag), pair("last-modified", since)}},
		"its own status":  {200, "x", []abi.Pair{pair("cache-status", "guest; hit")}},
		"access-control":  {200, "x", []abi.Pair{pair("access-control-allow-origin", "*")}},
		"the longest":     {200, strings.Repeat("x", maxShort), nil},
		"content of none": {204, "x", nil},
		"capital letters": {200, "x", []abi.Pair{pair("X-CAPITAL", "A"), pair("x-small", "b")}},
	} {
		t.Run(name, func(t *testing.T) {
			p, g, _ := hitting(t, reply(a.status, a.body, a.headers...))
			addr := servertest.Listen(t, p)
			if got := short(p, servertest.Get("/a?b")); got != "" {
				t.Fatal("a hit before there is an answer")
			}
			servertest.RoundTrip(t, addr, servertest.Get("/a?b"))
			for _, method := range []string{"GET", "HEAD"} {
				for _, field := range []string{"A: b", "If-None-Match: " + tag, "If-None-Match: *", "If-Modified-Since: " + since} {
					got := shortAnswer(t, p, method, servertest.Request(method, "/a?b", "", field))
					want := servertest.RoundTrip(t, addr, servertest.Request(method, "/a?b", "", field, "Connection: keep-alive, x"))
					if method == "HEAD" && got.ContentLength == 0 && want.ContentLength == -1 { // fasthttp leaves it out
						got.ContentLength = -1
						got.Header.Del("Content-Length")
					}
					if diff := cmp.Diff(said(t, want), said(t, got)); diff != "" {
						t.Errorf("%s, %s (-the long way +the short one):\n%s", method, field, diff)
					}
				}
			}
			if n := g.held.Load(); n != 0 {
				t.Errorf("%d holds are left", n)
			}
		})
	}
}

// TestShortcutLeavesTheRest: what is more than a hit goes the usual way.
func TestShortcutLeavesTheRest(t *testing.T) {
	p, g, routes := hitting(t, reply(200, "hello"))
	addr := servertest.Listen(t, p)
	plain := servertest.Get("/a")
	servertest.RoundTrip(t, addr, plain)
	wants := func(what, request string, is bool) {
		t.Helper()
		if got := short(p, request); strings.HasPrefix(got, "HTTP/1.1 200 OK\r\n") != is || !is && got != "" {
			t.Errorf("%s: %q", what, got)
		}
	}
	wants("plain", plain, true)
	for _, request := range []string{
		servertest.Get("/b"), servertest.Get("/a?"), servertest.Get("/a?b"), servertest.Get("http://test/a"), servertest.Get("/a", "X-Forwarded-Host: b"),
		servertest.Request("POST", "/a", ""), servertest.Request("OPTIONS", "/a", ""), "GET /a HTTP/1.0\r\nHost: test\r\n\r\n",
	} {
		if strings.Contains(request, "X-Forwarded-Host") { // from nobody who is trusted
			wants(request, request, true)
			continue
		}
		wants(request, request, false)
	}
	for line, is := range map[string]bool{
		"Connection: close": false, "Connection: Keep-Alive": true, "Connection: upgrade": false, "Connection: keep-alive, x": false, "Expect: 100-continue": false,
		"Range: bytes=0-1": false, "If-Match: *": false, "Authorization: a": false, "Cookie: a=b": false, "Accept: text/event-stream": true, "Content-Length: 0": true,
	} {
		wants(line, servertest.Get("/a", line), is)
	}
	for what, change := range map[string]func(*Match){
		"CORS": func(m *Match) { m.CORS = &plugin.CORS{} }, "a preview": func(m *Match) { m.Preview = true }, "not kept": func(m *Match) { m.Cache.Keep = 0 },
		"a socket": func(m *Match) { m.Socket = &Socket{} }, "nothing": func(m *Match) { m.Deployment.Release(); m.Deployment = nil },
	} {
		routes.change = change
		wants(what, plain, false)
	}
	routes.change = nil
	g.plugin.Pause.Store(&plugin.Pause{})
	wants("a paused plugin", plain, false)
	g.plugin.Pause.Store(&plugin.Pause{Writes: true})
	wants("one that is paused for writes", plain, true)
	if n := g.held.Load(); n != 0 {
		t.Errorf("%d holds are left", n)
	}
}

// TestShortcutTakesForwarded: a trusted proxy says which host was asked for.
func TestShortcutTakesForwarded(t *testing.T) {
	p, _, _ := hitting(t, reply(200, "hello"), func(c *Config) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })
	addr := servertest.Listen(t, p)
	servertest.RoundTrip(t, addr, servertest.Get("/a", "X-Forwarded-Host: b"))
	for line, is := range map[string]bool{"X-Forwarded-Host: b": true, "X-Forwarded-Host: c": false, "A: b": false} {
		if got := short(p, servertest.Get("/a", line)); (got != "") != is {
			t.Errorf("%s: %q", line, got)
		}
	}
}

// TestShortcutIsCounted: a hit that takes the shortcut is in the metrics of its plugin, in
// those of the cache and in the access log.
func TestShortcutIsCounted(t *testing.T) {
	var lines bytes.Buffer
	p, g, _ := hitting(t, reply(200, "hello"), func(c *Config) { c.Log = slog.New(slog.NewJSONHandler(&lines, nil)) })
	addr := servertest.Listen(t, p)
	servertest.RoundTrip(t, addr, servertest.Get("/a"))
	for range 3 {
		if short(p, servertest.Get("/a", "X-Request-Id: mine")) == "" {
			t.Fatal("no hit")
		}
	}
	var n uint64
	g.plugin.Meter.Each(func(_ tally.Series, d tally.Distribution) { n += d.Count })
	if n != 4 {
		t.Errorf("the plugin has counted %d requests", n)
	}
	if hits := p.Cached()[0].Routes[0].Hits; hits != 3 {
		t.Errorf("the cache has counted %d hits", hits)
	}
	if got := strings.Count(lines.String(), `"request_id":"mine"`); got != 3 || !strings.Contains(lines.String(), `"bytes":5`) {
		t.Errorf("the log has %d lines:\n%s", got, lines.String())
	}
}

// TestHitAllocatesOnce: a hit copies the head of its request, and allocates nothing else.
func TestHitAllocatesOnce(t *testing.T) {
	p, _, _ := hitting(t, reply(200, "hello"))
	addr := servertest.Listen(t, p)
	servertest.RoundTrip(t, addr, servertest.Get("/a"))
	head, answer := []byte(servertest.Get("/a", "Accept: */*", "Connection: keep-alive")), make([]byte, 0, 4<<10)
	if n := testing.AllocsPerRun(1000, func() {
		if len(p.shortcut(answer, head, loopback, time.Now())) == 0 {
			t.Fatal("no hit")
		}
	}); n > 1 {
		t.Errorf("a hit takes %v allocations", n)
	}
}

// BenchmarkHit is what a hit of the cache costs above the kernel, next to Fiber's own
// hello: requests come from memory, with few header fields and with a browser's.
func BenchmarkHit(b *testing.B) {
	for _, client := range []struct{ name, request string }{{"short", servertest.Get("/hello")}, {"browser", servertest.Typical}} {
		b.Run(client.name+"/fiber", func(b *testing.B) {
			app := fiber.New(fiber.Config{DisableStartupMessage: true})
			app.Server().MaxIdleWorkerDuration = 200 * time.Millisecond
			app.Use(func(c *fiber.Ctx) error { return c.SendString("hello") })
			ln := newMemory(client.request)
			done := make(chan error, 1)
			go func() { done <- app.Listener(ln) }()
			ln.run(b)
			_ = app.Shutdown()
			<-done
		})
		b.Run(client.name+"/hit", func(b *testing.B) {
			p, _, _ := hitting(b, reply(200, "hello", abi.Pair{Name: "content-type", Value: "text/plain"}, abi.Pair{Name: "cache-control", Value: "public"}))
			ln := newMemory(client.request)
			servertest.ListenOn(b, p, ln)
			ln.run(b)
		})
	}
}

// memory is a listener with one connection, on which the same request comes again and again.
type memory struct {
	request string
	asks    chan int    // how many requests come next
	answers chan string // the last answer to them
	once    sync.Once
	closed  chan struct{}
	conns   chan net.Conn
}

func newMemory(request string) *memory {
	m := &memory{request: request, asks: make(chan int), answers: make(chan string, 1), closed: make(chan struct{}), conns: make(chan net.Conn, 1)}
	m.conns <- &memoryConn{memory: m}
	return m
}

// run sends b.N requests, and checks the last answer.
func (m *memory) run(b *testing.B) {
	b.Helper()
	m.send(1)
	b.ReportAllocs()
	b.ResetTimer()
	if got := m.send(b.N); !strings.HasPrefix(got, "HTTP/1.1 200 OK\r\n") {
		b.Fatal(got)
	}
	b.StopTimer()
}

// send sends n requests, and returns the answer to the last.
func (m *memory) send(n int) string {
	m.asks <- n
	return <-m.answers
}

func (m *memory) Accept() (net.Conn, error) {
	select {
	case c := <-m.conns:
		return c, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

func (m *memory) Close() error {
	m.once.Do(func() { close(m.closed) })
	return nil
}

func (*memory) Addr() net.Addr { return loopback }

type memoryConn struct {
	*memory
	left int
	last []byte
}

func (c *memoryConn) Read(p []byte) (int, error) {
	if c.left == 0 {
		if c.last != nil {
			c.answers <- string(c.last)
		}
		select {
		case c.left = <-c.asks:
		case <-c.closed:
			return 0, io.EOF
		}
	}
	c.left--
	return copy(p, c.request), nil
}

func (c *memoryConn) Write(p []byte) (int, error) {
	c.last = append(c.last[:0], p...)
	return len(p), nil
}

func (c *memoryConn) LocalAddr() net.Addr              { return loopback }
func (c *memoryConn) RemoteAddr() net.Addr             { return loopback }
func (c *memoryConn) SetDeadline(time.Time) error      { return nil }
func (c *memoryConn) SetReadDeadline(time.Time) error  { return nil }
func (c *memoryConn) SetWriteDeadline(time.Time) error { return nil }
