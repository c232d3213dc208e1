package server

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/abi"
)

// typical is what a browser sends.
var typical = get("/shop/items/4711?page=2",
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "Accept-Language: en-US,en;q=0.5",
	"Accept-Encoding: gzip, deflate, br", "Connection: keep-alive", "Cookie: session=0123456789abcdef0123456789abcdef")

// BenchmarkHandler is a request from parsed head to finished response, without
// network and gate, against a handler that answers 100 bytes.
func BenchmarkHandler(b *testing.B) {
	g := &guest{handle: reply(200, strings.Repeat("a", 100), abi.Pair{Name: "content-type", Value: "text/plain"})}
	p := NewPublic(PublicConfig{Routes: mounted{g}})
	p.app.Handler() // prepares the routes
	var ctx fasthttp.RequestCtx
	ctx.Init2(&pieces{}, nil, false)
	if err := ctx.Request.Header.Read(bufio.NewReader(strings.NewReader(typical))); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		p.app.Server().Handler(&ctx)
		ctx.Response.Reset()
	}
	b.ReportAllocs()
}

// BenchmarkGate is what the gate costs a request.
func BenchmarkGate(b *testing.B) {
	c := &gateConn{Conn: &endless{message: typical}, gate: newTestGate()}
	buf := make([]byte, 64<<10)
	for b.Loop() {
		if n, err := c.Read(buf); n != len(typical) || err != nil {
			b.Fatal(n, err)
		}
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(typical)))
}

// endless is a connection on which one message arrives again and again.
type endless struct {
	net.Conn
	message string
}

func (e *endless) Read(b []byte) (int, error) { return copy(b, e.message), nil }

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
}

func pingPong(b *testing.B, addr string) {
	b.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	r := bufio.NewReader(c)
	send(b, c, typical)
	size := len(typical)
	first := receiveSize(b, r)
	for b.Loop() {
		if _, err := io.WriteString(c, typical); err != nil {
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

var _ Service = (*guest)(nil)
