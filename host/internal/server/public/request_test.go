package public

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/server/certificate"
	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
)

func TestWellFormedRequests(t *testing.T) {
	addr := publicFor(t, echo)
	for name, tc := range map[string]struct{ raw, want string }{
		"plain":                {servertest.Get("/a"), "GET /a?\nhost: test\n\n"},
		"query":                {servertest.Get("/a?b=%2f&c=//..\\"), "GET /a?b=%2f&c=//..\\\nhost: test\n\n"},
		"absolute target":      {"GET http://TEST/a?b HTTP/1.1\r\nHost: test\r\n\r\n", "GET /a?b\nhost: test\n\n"},
		"absolute, no path":    {"GET http://test?b HTTP/1.1\r\nHost: test\r\n\r\n", "GET /?b\nhost: test\n\n"},
		"1.0 without host":     {"GET /a HTTP/1.0\r\n\r\n", "GET /a?\n\n"},
		"IPv6 host":            {"GET /a HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "GET /a?\nhost: [::1]:80\n\n"},
		"any method":           {servertest.Request("BREW", "/a", ""), "BREW /a?\nhost: test\n\n"},
		"raw UTF-8":            {servertest.Get("/ä"), "GET /ä?\nhost: test\n\n"},
		"empty value":          {servertest.Get("/a", "A:"), "GET /a?\nhost: test\na: \n\n"},
		"repeated, in order":   {servertest.Get("/a", "B: 2", "A: 1", "b:3 ", "A:\t1"), "GET /a?\nhost: test\nb: 2\na: 1\nb: 3\na: 1\n\n"},
		"hop-by-hop dropped":   {servertest.Get("/a", "Connection: X-Hop, keep-alive", "X-Hop: 1", "TE: trailers", "Keep-Alive: 5", "X: 2"), "GET /a?\nhost: test\nx: 2\n\n"},
		"host is for no hop":   {servertest.Get("/a", "Connection: Host", "X: 2"), "GET /a?\nhost: test\nx: 2\n\n"},
		"body":                 {servertest.Request("POST", "/a", "hello", "Content-Length: 5"), "POST /a?\nhost: test\n\nhello"},
		"body of one byte":     {servertest.Request("POST", "/a", "x", "Content-Length: 1"), "POST /a?\nhost: test\n\nx"},
		"body with GET":        {servertest.Request("GET", "/a", "hello", "Content-Length: 5"), "GET /a?\nhost: test\n\nhello"},
		"empty body":           {servertest.Request("POST", "/a", "", "Content-Length: 0"), "POST /a?\nhost: test\n\n"},
		"chunked":              {servertest.Request("POST", "/a", "3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n", "Transfer-Encoding: Chunked"), "POST /a?\nhost: test\n\nabc0123456789"},
		"chunked, leading 0":   {servertest.Request("POST", "/a", "003\r\nabc\r\n00\r\n\r\n", "Transfer-Encoding: chunked"), "POST /a?\nhost: test\n\nabc"},
		"chunked, empty":       {servertest.Request("POST", "/a", "0\r\n\r\n", "Transfer-Encoding: chunked"), "POST /a?\nhost: test\n\n"},
		"multipart untouched":  {servertest.Request("POST", "/a", "--x\r\n\r\n", "Content-Type: multipart/form-data; boundary=x", "Content-Length: 7"), "POST /a?\nhost: test\ncontent-type: multipart/form-data; boundary=x\n\n--x\r\n\r\n"},
		"100 fields":           {servertest.Get("/a", strings.TrimSuffix(strings.Repeat("A: b\r\n", 99), "\r\n")), "GET /a?\nhost: test\n" + strings.Repeat("a: b\n", 99) + "\n"},
		"target at the limit":  {servertest.Get("/" + strings.Repeat("a", 8<<10-1)), "GET /" + strings.Repeat("a", 8<<10-1) + "?\nhost: test\n\n"},
		"colon in a value":     {servertest.Get("/a", "A: B:C"), "GET /a?\nhost: test\na: B:C\n\n"},
		"name kept in a value": {servertest.Get("/a", "A: HOST"), "GET /a?\nhost: test\na: HOST\n\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := servertest.RoundTrip(t, addr, tc.raw); got.StatusCode != 200 || got.Text != tc.want {
				t.Errorf("%d %q\nwant 200 %q", got.StatusCode, got.Text, tc.want)
			}
		})
	}
}

func TestManyPipelined(t *testing.T) {
	addr := publicFor(t, echo)
	const n = 500
	c := servertest.Dial(t, addr)
	go func() {
		var all strings.Builder
		for i := range n {
			all.WriteString(servertest.Get(fmt.Sprintf("/%d", i)))
		}
		_, _ = io.WriteString(c, all.String())
	}()
	r := bufio.NewReader(c)
	for i := range n {
		want := fmt.Sprintf("GET /%d?\nhost: test\n\n", i)
		if got := servertest.Receive(t, r, "GET"); got.Text != want {
			t.Fatalf("response %d: %q", i, got.Text)
		}
	}
}

// TestTLS: a request that arrives over TLS has the scheme https for the guest, and
// one that does not is refused.
func TestTLS(t *testing.T) {
	files := servertest.NewPair(t)
	files.Write(t, "one")
	certificate, err := certificate.Load(files.Cert, files.Key, nil)
	if err != nil {
		t.Fatal(err)
	}
	addr := publicFor(t, func(inv *invoke.Invocation) (dispatch.Result, error) {
		inv.Reply.Body = append(inv.Reply.Body, inv.Request.Head.Scheme...)
		return dispatch.Result{}, nil
	}, func(c *Config) { c.Certificate = certificate })
	conn := tls.Client(servertest.Dial(t, addr), &tls.Config{InsecureSkipVerify: true}) // the test of wire looks at it
	servertest.Send(t, conn, servertest.Get("/"))
	if got := servertest.Receive(t, bufio.NewReader(conn), "GET"); got.Text != "https" {
		t.Errorf("the guest sees the scheme %q", got.Text)
	}
	if got := servertest.RoundTrip(t, addr, servertest.Get("/")); got.StatusCode != 400 {
		t.Errorf("plain HTTP: status %d", got.StatusCode)
	}
}

// TestTraceIsRefused: a guest that answers TRACE would show a page the cookies that
// the browser keeps from it.
func TestTraceIsRefused(t *testing.T) {
	servertest.CheckRefused(t, publicFor(t, echo), servertest.Get("/"), servertest.Request("TRACE", "/", ""), 501)
}

// TestRoutes: nothing but the probes is the host's own.
func TestRoutes(t *testing.T) {
	p := New(Config{Routes: mounted{}})
	var got []string
	for _, r := range p.edge.App.GetRoutes(true) {
		got = append(got, r.Method+" "+r.Path)
	}
	slices.Sort(got)
	if want := []string{"GET /livez", "GET /readyz", "HEAD /livez", "HEAD /readyz"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
