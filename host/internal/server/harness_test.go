package server

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// fasthttp's clock for the Date header runs as long as the process.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
	)
}

// guest is a Service whose handler is Go.
type guest struct {
	handle func(*invoke.Invocation) (dispatch.Result, error)
	held   atomic.Int64
}

func (g *guest) Do(ctx context.Context, inv *invoke.Invocation, l limit.Limits) (dispatch.Result, error) {
	inv.Begin(1, l, nil)
	if ctx.Err() != nil {
		return dispatch.Result{}, ctx.Err()
	}
	return g.handle(inv)
}

func (g *guest) Release()         { g.held.Add(-1) }
func (g *guest) Env() *invoke.Env { return &invoke.Env{Plugin: "stub", Version: 7} }

// mounted serves one guest at /, with room for 64 bytes of body at /small, and
// GET and POST only at /fixed.
type mounted struct{ *guest }

func (m mounted) Route(method, _, path string, params []abi.Pair) Match {
	limits := limit.Default()
	switch {
	case path == "/nothing":
		return Match{}
	case path == "/fixed" && method != "GET" && method != "POST":
		return Match{Allow: []string{"GET", "POST"}}
	case strings.HasPrefix(path, "/small"):
		limits.RequestBody = 64
	}
	m.held.Add(1)
	return Match{Service: m.guest, Limits: limits, Path: path, Pattern: "/{rest...}", Params: append(params, abi.Pair{Name: "rest", Value: path[1:]})}
}

// echo answers with what it was asked.
func echo(inv *invoke.Invocation) (dispatch.Result, error) {
	h := &inv.Request.Head
	inv.Reply.Body = append(inv.Reply.Body, h.Method+" "+h.Path+"?"+h.Query+"\n"...)
	for _, f := range h.Headers {
		inv.Reply.Body = append(inv.Reply.Body, f.Name+": "+f.Value+"\n"...)
	}
	inv.Reply.Body = append(inv.Reply.Body, '\n')
	inv.Reply.Body = append(inv.Reply.Body, bodyOf(inv)...)
	return dispatch.Result{Attempts: 1, Outcome: dispatch.None}, nil
}

// bodyOf returns the whole body.
func bodyOf(inv *invoke.Invocation) []byte {
	var b bytes.Buffer
	if _, err := inv.Request.Body.WriteTo(&b); err != nil {
		panic(err) // the test gets a 500
	}
	return b.Bytes()
}

// reply answers with a fixed reply.
func reply(status int, body string, headers ...abi.Pair) func(*invoke.Invocation) (dispatch.Result, error) {
	return func(inv *invoke.Invocation) (dispatch.Result, error) {
		inv.Reply.Status = status
		inv.Reply.Headers = append(inv.Reply.Headers, headers...)
		inv.Reply.Body = append(inv.Reply.Body, body...)
		return dispatch.Result{Attempts: 1, Outcome: dispatch.Committed}, nil
	}
}

// failing answers with a fault.
func failing(o dispatch.Outcome, err error) func(*invoke.Invocation) (dispatch.Result, error) {
	return func(*invoke.Invocation) (dispatch.Result, error) {
		return dispatch.Result{Attempts: 1, Outcome: o}, err
	}
}

// publicFor serves handle until the test ends and returns the address. It fails
// the test if a hold on the service is left.
func publicFor(tb testing.TB, handle func(*invoke.Invocation) (dispatch.Result, error), change ...func(*PublicConfig)) string {
	tb.Helper()
	g := &guest{handle: handle}
	cfg := PublicConfig{Routes: mounted{g}}
	for _, f := range change {
		f(&cfg)
	}
	tb.Cleanup(func() { // after the server has closed
		if n := g.held.Load(); n != 0 {
			tb.Errorf("%d holds on the service were not released", n)
		}
	})
	return listen(tb, NewPublic(cfg))
}

type listener interface {
	Serve(net.Listener) error
	Close(context.Context) error
}

// listen serves s on a free port until the test ends.
func listen(tb testing.TB, s listener) string {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	return listenOn(tb, s, ln)
}

// listenOn serves s on ln until the test ends.
func listenOn(tb testing.TB, s listener, ln net.Listener) string {
	tb.Helper()
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			tb.Errorf("close: %v", err)
		}
		if err := <-served; err != nil {
			tb.Errorf("serve: %v", err)
		}
	})
	return ln.Addr().String()
}

// dial connects to addr, with a deadline for everything.
func dial(tb testing.TB, addr string) net.Conn {
	tb.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		tb.Fatal(err)
	}
	return c
}

func send(tb testing.TB, c net.Conn, s string) {
	tb.Helper()
	if _, err := io.WriteString(c, s); err != nil {
		tb.Fatal(err)
	}
}

// response is what came back for one request.
type response struct {
	*http.Response
	body string
}

// receive reads one response to a request with the method.
func receive(tb testing.TB, r *bufio.Reader, method string) response {
	tb.Helper()
	resp, err := http.ReadResponse(r, &http.Request{Method: method})
	if err != nil {
		tb.Fatalf("read response: %v", err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		tb.Fatalf("read body: %v", err)
	}
	return response{resp, string(body)}
}

// roundTrip sends raw over a connection of its own and returns the response and
// what came behind it, up to the end of the connection if the server ends it.
func roundTrip(tb testing.TB, addr, raw string) response {
	tb.Helper()
	c := dial(tb, addr)
	send(tb, c, raw)
	method, _, _ := strings.Cut(raw, " ")
	return receive(tb, bufio.NewReader(c), method)
}

// get is a request for path, with more header lines.
func get(path string, lines ...string) string {
	return request("GET", path, "", lines...)
}

func request(method, path, body string, lines ...string) string {
	head := method + " " + path + " HTTP/1.1\r\nHost: test\r\n"
	for _, l := range lines {
		head += l + "\r\n"
	}
	return head + "\r\n" + body
}
