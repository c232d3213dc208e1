// Package servertest speaks HTTP to the listeners as a client that writes every
// byte itself, and says what all of them owe to it. Only tests import it.
package servertest

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Listener is a server on trial.
type Listener interface {
	Serve(net.Listener) error
	Close(context.Context) error
}

// Listen serves s on a free port until the test ends, and returns the address.
func Listen(tb testing.TB, s Listener) string {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	return ListenOn(tb, s, ln)
}

// ListenOn serves s on ln until the test ends.
func ListenOn(tb testing.TB, s Listener, ln net.Listener) string {
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

// Dial connects to addr, with a deadline for everything.
func Dial(tb testing.TB, addr string) net.Conn {
	tb.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		tb.Fatal(err)
	}
	return c
}

// Send writes s.
func Send(tb testing.TB, c net.Conn, s string) {
	tb.Helper()
	if _, err := io.WriteString(c, s); err != nil {
		tb.Fatal(err)
	}
}

// Response is what came back for one request.
type Response struct {
	*http.Response
	Text string // the body
}

// Receive reads one response to a request with the method.
func Receive(tb testing.TB, r *bufio.Reader, method string) Response {
	tb.Helper()
	resp, err := http.ReadResponse(r, &http.Request{Method: method})
	if err != nil {
		tb.Fatalf("read response: %v", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		tb.Fatalf("read body: %v", err)
	}
	return Response{resp, string(body)}
}

// RoundTrip sends raw over a connection of its own and returns the response.
func RoundTrip(tb testing.TB, addr, raw string) Response {
	tb.Helper()
	c := Dial(tb, addr)
	defer func() { _ = c.Close() }()
	_, _ = io.WriteString(c, raw) // a server that refuses a body answers before it has read all of it
	method, _, _ := strings.Cut(raw, " ")
	return Receive(tb, bufio.NewReader(c), method)
}

// Get is a request for path, with more header lines.
func Get(path string, lines ...string) string {
	return Request("GET", path, "", lines...)
}

// Request is a request with a body, whose length is among the lines.
func Request(method, path, body string, lines ...string) string {
	head := append([]string{method + " " + path + " HTTP/1.1", "Host: test"}, lines...)
	return strings.Join(head, "\r\n") + "\r\n\r\n" + body
}

// Typical is what a browser sends.
var Typical = Get("/shop/items/4711?page=2",
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "Accept-Language: en-US,en;q=0.5",
	"Accept-Encoding: gzip, deflate, br", "Connection: keep-alive", "Cookie: session=0123456789abcdef0123456789abcdef")

// Problem is the body of an error, as a client reads it.
type Problem struct {
	Type      string     `json:"type"`
	Title     string     `json:"title"`
	Status    int        `json:"status"`
	Code      fault.Code `json:"code"`
	Detail    string     `json:"detail"`
	RequestID string     `json:"request_id"`
	Effects   string     `json:"effects"`
	Errors    []struct {
		Message  string `json:"message"`
		Location string `json:"location"`
	} `json:"errors"`
}

// CheckProblem wants the body in the one shape of an error.
func CheckProblem(tb testing.TB, r Response) Problem {
	tb.Helper()
	var p Problem
	if got := r.Header.Get("Content-Type"); got != "application/problem+json" {
		tb.Errorf("content type %q", got)
	}
	if err := json.Unmarshal([]byte(r.Text), &p); err != nil {
		tb.Fatalf("problem %q: %v", r.Text, err)
	}
	if p.Status != r.StatusCode || p.Type != "urn:wasmoor:"+string(p.Code) || p.Code == "" || p.Title == "" || p.Detail == "" {
		tb.Errorf("problem %+v of status %d is incomplete", p, r.StatusCode)
	}
	if p.RequestID == "" || p.RequestID != r.Header.Get("X-Request-Id") {
		tb.Errorf("request id %q in the body, %q in the header", p.RequestID, r.Header.Get("X-Request-Id"))
	}
	return p
}

// canary is sent after every malformed request: it must never be served.
const canary = "GET /canary HTTP/1.1\r\nHost: test\r\n\r\n"

// CheckRefused sends a good request (or none), then raw followed by a canary,
// and wants one refusal and the end of the connection.
func CheckRefused(tb testing.TB, addr, first, raw string, status int) {
	tb.Helper()
	c := Dial(tb, addr)
	// The server may stop reading at any byte.
	_, _ = io.WriteString(c, first+raw+canary)
	r := bufio.NewReader(c)
	if first != "" {
		if got := Receive(tb, r, "GET"); got.StatusCode != 200 {
			tb.Fatalf("the good request before it: status %d", got.StatusCode)
		}
	}
	got := Receive(tb, r, "GET")
	if got.StatusCode != status {
		tb.Errorf("status %d, want %d: %s", got.StatusCode, status, got.Text)
	}
	if !got.Close {
		tb.Error("the response does not say Connection: close")
	}
	CheckProblem(tb, got)
	if rest, _ := io.ReadAll(r); len(rest) > 0 {
		tb.Errorf("the connection went on with %q", rest)
	}
}

// Local is a request by the name of this machine.
func Local(method, path, body string, lines ...string) string {
	return strings.Replace(Request(method, path, body, lines...), "Host: test", "Host: localhost:8081", 1)
}

// RefusesPaths wants a path that can be read in two ways to be refused, and what
// follows it not to be served.
func RefusesPaths(t *testing.T, addr string) {
	t.Helper()
	for _, path := range []string{
		"/a/../b", "/a/%2e%2E/b", "/a/.", "/a%2fb", "/a%5Cb", "/a\\b", "//a", "/a//b", "/a%00b", "/a%", "/a%zz",
		"http://localhost:8081/a/../b",
	} {
		t.Run(path, func(t *testing.T) {
			for _, first := range []string{"", Local("GET", "/livez", "")} {
				CheckRefused(t, addr, first, Local("GET", path, ""), 400)
				CheckRefused(t, addr, first, Local("POST", path, "hello", "Content-Length: 5"), 400)
			}
		})
	}
}
