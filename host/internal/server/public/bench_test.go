package public

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/cache"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/logs"
	"github.com/wasmoor/wasmoor/host/internal/serve"
	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
	"github.com/wasmoor/wasmoor/host/internal/server/wire"
	"github.com/wasmoor/wasmoor/host/internal/store/badger"
)

// BenchmarkHandler is a request from parsed head to finished response, without
// network and gate, against a handler that answers 100 bytes.
func BenchmarkHandler(b *testing.B) {
	g := &guest{handle: reply(200, strings.Repeat("a", 100), abi.Pair{Name: "content-type", Value: "text/plain"})}
	p := newPublic(Config{Routes: mounted{g}})
	p.edge.App.Handler() // prepares the routes
	var ctx fasthttp.RequestCtx
	ctx.Init2(nowhere{}, nil, false)
	if err := ctx.Request.Header.Read(bufio.NewReader(strings.NewReader(servertest.Typical))); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		p.edge.App.Server().Handler(&ctx)
		if ctx.Response.StatusCode() != 200 {
			b.Fatal(ctx.Response.String())
		}
		ctx.Response.Reset()
	}
	b.ReportAllocs()
}

// BenchmarkAccessLog is what a request costs with each setting of the access log;
// "at once" writes each line before the request goes on, as slog does by itself.
func BenchmarkAccessLog(b *testing.B) {
	file, err := os.OpenFile(filepath.Join(b.TempDir(), "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	sink := logs.NewSink(file, func(*logs.Loss) {})
	defer func() { _ = sink.Close(b.Context()) }()
	share := sink.Share("requests", 1<<20)
	for _, s := range []struct {
		name  string
		out   io.Writer
		every int
	}{{"off", share, 0}, {"one in 100", share, 100}, {"all", share, 1}, {"all, at once", file, 1}} {
		b.Run(s.name, func(b *testing.B) {
			log := slog.New(slog.NewJSONHandler(s.out, nil))
			sample := new(wire.Sample)
			sample.Set(s.every)
			p := newPublic(Config{Routes: mounted{&guest{handle: reply(200, "hello")}}, Log: log, Access: wire.AccessLog{Log: log, Sample: sample}})
			p.edge.App.Handler()
			var ctx fasthttp.RequestCtx
			ctx.Init2(nowhere{}, nil, false)
			if err := ctx.Request.Header.Read(bufio.NewReader(strings.NewReader(servertest.Typical))); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				p.edge.App.Server().Handler(&ctx)
				ctx.Response.Reset()
			}
		})
	}
}

// BenchmarkLoopback compares a keep-alive connection to raw Fiber with one to
// the public listener.
func BenchmarkLoopback(b *testing.B) {
	b.Run("fiber", func(b *testing.B) {
		app := fiber.New(fiber.Config{DisableStartupMessage: true})
		app.Server().MaxIdleWorkerDuration = 200 * time.Millisecond
		body := strings.Repeat("a", 100)
		app.Use(func(c *fiber.Ctx) error { return c.SendString(body) })
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		done := make(chan error)
		go func() { done <- app.Listener(ln) }()
		pingPong(b, ln.Addr().String())
		_ = app.Shutdown()
		<-done
	})
	b.Run("public", func(b *testing.B) {
		pingPong(b, publicFor(b, reply(200, strings.Repeat("a", 100))))
	})
	b.Run("kept", func(b *testing.B) {
		s, err := badger.Open(badger.Config{Dir: b.TempDir(), MinFree: -1, ScrubEvery: -1})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = s.Close() })
		answer := reply(200, strings.Repeat("a", 100), abi.Pair{Name: "cache-control", Value: "public"})
		handle := func(inv *invoke.Invocation) (dispatch.Result, error) {
			res, err := answer(inv)
			inv.Request.Seen(inv)
			return res, err
		}
		addr := publicFor(b, handle, func(c *Config) { c.Routes, c.Cache = caching{c.Routes}, cache.New(s) })
		first, err := net.Dial("tcp", addr)
		if err != nil {
			b.Fatal(err)
		}
		servertest.Send(b, first, servertest.Typical)
		receiveSize(b, bufio.NewReader(first))
		_ = first.Close()
		pingPong(b, addr)
	})
}

// caching has the answers of all routes kept.
type caching struct{ Routes }

func (k caching) Route(method, host, path string, params []abi.Pair, c deploy.Client) Match {
	m := k.Routes.Route(method, host, path, params, c)
	m.Cache.Keep = time.Hour
	return m
}

func pingPong(b *testing.B, addr string) {
	b.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	r := bufio.NewReader(c)
	servertest.Send(b, c, servertest.Typical)
	size := len(servertest.Typical)
	first := receiveSize(b, r)
	for b.Loop() {
		if _, err := io.WriteString(c, servertest.Typical); err != nil {
			b.Fatal(err)
		}
		if _, err := r.Discard(first); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(size))
}

// receiveSize reads a response and returns its size, which those after it share.
func receiveSize(b *testing.B, r *bufio.Reader) int {
	b.Helper()
	size := 0
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			b.Fatal(err)
		}
		if size += len(line); line == "\r\n" {
			break
		}
	}
	n, err := r.Discard(100)
	if err != nil {
		b.Fatal(err)
	}
	return size + n
}

var _ serve.Deployment = (*guest)(nil)

// nowhere is a connection without a peer.
type nowhere struct{ net.Conn }

func (nowhere) RemoteAddr() net.Addr { return nil }
func (nowhere) LocalAddr() net.Addr  { return nil }
