package wire

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
)

func TestConnectionCap(t *testing.T) {
	addr := edgeFor(t, Conns{Max: 2})
	a, b := servertest.Dial(t, addr), servertest.Dial(t, addr)
	for _, c := range []net.Conn{a, b} {
		servertest.Send(t, c, servertest.Get("/"))
		servertest.Receive(t, bufio.NewReader(c), "GET")
	}
	over := servertest.Dial(t, addr)
	got := servertest.Receive(t, bufio.NewReader(over), "GET")
	if got.StatusCode != 503 || got.Header.Get("Retry-After") == "" {
		t.Errorf("status %d", got.StatusCode)
	}
	servertest.CheckProblem(t, got)
	_ = a.Close()
	for deadline := time.Now().Add(time.Minute); ; {
		c := servertest.Dial(t, addr)
		servertest.Send(t, c, servertest.Get("/"))
		if servertest.Receive(t, bufio.NewReader(c), "GET").StatusCode == 200 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("a closed connection makes no room")
		}
	}
}

func TestTimeouts(t *testing.T) {
	const short, long = 50 * time.Millisecond, time.Minute
	for name, tc := range map[string]struct {
		conns  Conns
		sent   string
		status int // 0 = closed without a word
	}{
		"no request":             {Conns{HeaderTimeout: short, IdleTimeout: long}, "", 0},
		"slow head":              {Conns{HeaderTimeout: short, IdleTimeout: long}, "GET / HT", 408},
		"slow head, second":      {Conns{HeaderTimeout: short, IdleTimeout: long}, servertest.Get("/1") + "GET / HT", 408},
		"slow first body byte":   {Conns{BodyTimeout: short}, servertest.Request("POST", "/", "", "Content-Length: 5"), 408},
		"slow body":              {Conns{BodyTimeout: short}, servertest.Request("POST", "/", "ab", "Content-Length: 5"), 408},
		"slow chunked body":      {Conns{BodyTimeout: short}, servertest.Request("POST", "/", "5\r\nab", "Transfer-Encoding: chunked"), 408},
		"idle between requests":  {Conns{IdleTimeout: short}, servertest.Get("/1"), 0},
		"body may take its time": {Conns{HeaderTimeout: short, BodyTimeout: long}, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := edgeFor(t, tc.conns)
			c := servertest.Dial(t, addr)
			servertest.Send(t, c, tc.sent)
			r := bufio.NewReader(c)
			if strings.HasPrefix(tc.sent, servertest.Get("/1")) {
				servertest.Receive(t, r, "GET")
			}
			if tc.status != 0 {
				got := servertest.Receive(t, r, "GET")
				if got.StatusCode != tc.status {
					t.Errorf("status %d, want %d", got.StatusCode, tc.status)
				}
				servertest.CheckProblem(t, got)
			}
			if rest, err := io.ReadAll(r); len(rest) > 0 || err != nil {
				t.Errorf("the connection goes on: %q, %v", rest, err)
			}
		})
	}
}

func TestDefaultTimeouts(t *testing.T) {
	want := Conns{HeaderTimeout: 5 * time.Second, BodyTimeout: 30 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: 60 * time.Second, Max: 10_000}
	p := newTestEdge(Conns{})
	if diff := cmp.Diff(want, p.conns); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	s := p.App.Server()
	if s.ReadTimeout != want.HeaderTimeout || s.WriteTimeout != want.WriteTimeout || s.IdleTimeout != want.IdleTimeout {
		t.Errorf("fasthttp has %v, %v, %v", s.ReadTimeout, s.WriteTimeout, s.IdleTimeout)
	}
}

// TestRefusalReachesWhoSends: a client that reads when it has sent everything
// finds the refusal of its body, and not a broken connection.
func TestRefusalReachesWhoSends(t *testing.T) {
	addr := edgeFor(t, Conns{})
	const size = 16 << 20
	got := servertest.RoundTrip(t, addr, servertest.Request("POST", "/small", strings.Repeat("a", size), "Content-Length: "+strconv.Itoa(size)))
	if got.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("status %d: %s", got.StatusCode, got.Text)
	}
	servertest.CheckProblem(t, got)
}

// TestCloseWhileServeBegins: a process may be stopped as soon as it starts, and
// then Close is faster than Serve to close the listener.
func TestCloseWhileServeBegins(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := newTestEdge(Conns{})
	e.Drain()
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	if err := e.Serve(ln); err != nil {
		t.Errorf("Serve: %v, want nil", err)
	}
	if err := e.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
