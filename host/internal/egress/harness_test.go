package egress

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/egress/egresstest"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// upstream serves on loopback until the test ends.
func upstream(t testing.TB, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// client reaches origins on loopback.
func client(t testing.TB, change func(*Config), origins ...string) *Client {
	t.Helper()
	cfg := Config{Network: Network{Allow: loopback}, Limits: DefaultLimits()}
	for _, text := range origins {
		o, err := plugin.ParseOrigin(text)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Origins = append(cfg.Origins, o)
	}
	if change != nil {
		change(&cfg)
	}
	c := New(cfg)
	t.Cleanup(c.Close)
	return c
}

// told is what a guest is told of a call.
type told struct {
	opened abi.Status // of http_open
	head   abi.HTTPResponse
	body   string
	read   abi.Status // at the end of the body
}

// status is the failure of a call wherever it showed, OK for a whole answer.
func (a told) status() abi.Status {
	switch {
	case a.opened != abi.OK:
		return a.opened
	case a.head.Failure != 0:
		return -abi.Status(a.head.Failure)
	}
	return a.read
}

func (a told) header(name string) string {
	for _, h := range a.head.Headers {
		if h.Name == name {
			return h.Value
		}
	}
	return ""
}

// do makes one call in a session of its own.
func do(t testing.TB, c *Client, r abi.HTTPRequest, body string) told {
	t.Helper()
	answers := NewAnswers(true, limit.Share{}, free)
	defer answers.Close()
	s := c.Session(Trace{RequestID: "r1", Traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}, answers)
	defer s.Close()
	handle, status, _ := s.Open(&r)
	if status != abi.OK {
		return told{opened: status}
	}
	if status := s.Write(handle, []byte(body)); status != abi.OK {
		t.Fatalf("write: %v", status)
	}
	if _, status, err := s.Send(t.Context(), []uint32{handle}); status != abi.OK || err != nil {
		t.Fatalf("send: %v, %v", status, err)
	}
	return finish(t, &s, handle)
}

// free lets calls leave.
func free() error { return nil }

// kept returns the answers of a request that ends with the test.
func kept(t testing.TB) *Answers {
	t.Helper()
	a := NewAnswers(true, limit.Share{}, free)
	t.Cleanup(a.Close)
	return a
}

func finish(t testing.TB, s *Session, handle uint32) (a told) {
	t.Helper()
	head, status := s.Response(handle)
	if status != abi.OK {
		t.Fatalf("response: %v", status)
	}
	a.head = *head
	var body strings.Builder
	buf := make([]byte, 8<<10)
	for {
		n, status, err := s.Read(t.Context(), handle, buf)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			a.body, a.read = body.String(), status
			return a
		}
		body.Write(buf[:n])
	}
}

func get(t testing.TB, c *Client, url string) told {
	t.Helper()
	return do(t, c, abi.HTTPRequest{URL: url}, "")
}

// raw serves each connection with f, after its first bytes.
func raw(t testing.TB, f func(net.Conn)) string {
	t.Helper()
	return "http://" + egresstest.Serve(t, func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 4096))
		f(conn)
	}).String()
}

func drained(r *http.Request) string {
	b, _ := io.ReadAll(r.Body)
	return string(b)
}

const short = 100 * time.Millisecond
