package server

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
)

func TestConnectionCap(t *testing.T) {
	addr := publicFor(t, echo, func(c *PublicConfig) { c.Conns.Max = 2 })
	a, b := dial(t, addr), dial(t, addr)
	for _, c := range []net.Conn{a, b} {
		send(t, c, get("/"))
		receive(t, bufio.NewReader(c), "GET")
	}
	over := dial(t, addr)
	got := receive(t, bufio.NewReader(over), "GET")
	if got.StatusCode != 503 || got.Header.Get("Retry-After") == "" {
		t.Errorf("status %d", got.StatusCode)
	}
	checkProblem(t, got)
	_ = a.Close()
	for deadline := time.Now().Add(5 * time.Second); ; {
		c := dial(t, addr)
		send(t, c, get("/"))
		if receive(t, bufio.NewReader(c), "GET").StatusCode == 200 {
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
		"slow head, second":      {Conns{HeaderTimeout: short, IdleTimeout: long}, get("/1") + "GET / HT", 408},
		"slow first body byte":   {Conns{BodyTimeout: short}, request("POST", "/", "", "Content-Length: 5"), 408},
		"slow body":              {Conns{BodyTimeout: short}, request("POST", "/", "ab", "Content-Length: 5"), 408},
		"slow chunked body":      {Conns{BodyTimeout: short}, request("POST", "/", "5\r\nab", "Transfer-Encoding: chunked"), 408},
		"idle between requests":  {Conns{IdleTimeout: short}, get("/1"), 0},
		"body may take its time": {Conns{HeaderTimeout: short, BodyTimeout: long}, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := publicFor(t, echo, func(c *PublicConfig) { c.Conns = tc.conns })
			c := dial(t, addr)
			send(t, c, tc.sent)
			r := bufio.NewReader(c)
			if strings.HasPrefix(tc.sent, get("/1")) {
				receive(t, r, "GET")
			}
			if tc.status != 0 {
				got := receive(t, r, "GET")
				if got.StatusCode != tc.status {
					t.Errorf("status %d, want %d", got.StatusCode, tc.status)
				}
				checkProblem(t, got)
			}
			if rest, err := io.ReadAll(r); len(rest) > 0 || err != nil {
				t.Errorf("the connection goes on: %q, %v", rest, err)
			}
		})
	}
}

func TestDefaultTimeouts(t *testing.T) {
	want := Conns{HeaderTimeout: 5 * time.Second, BodyTimeout: 30 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: 60 * time.Second, Max: 10_000}
	p := NewPublic(PublicConfig{Routes: mounted{}})
	if p.conns != want {
		t.Errorf("got %+v, want %+v", p.conns, want)
	}
	s := p.app.Server()
	if s.ReadTimeout != want.HeaderTimeout || s.WriteTimeout != want.WriteTimeout || s.IdleTimeout != want.IdleTimeout {
		t.Errorf("fasthttp has %v, %v, %v", s.ReadTimeout, s.WriteTimeout, s.IdleTimeout)
	}
}

// TestSlowClientsHoldNobody: clients that stop in the middle of everything do
// not keep another one from its answer.
func TestSlowClientsHoldNobody(t *testing.T) {
	addr := publicFor(t, reply(200, strings.Repeat("a", 8<<20)))
	for i, raw := range []string{"GET / HT", request("POST", "/", "ab", "Content-Length: 5"), get("/")} {
		for range 20 {
			c := dial(t, addr)
			send(t, c, raw)
			if i == 2 { // takes a byte of 8 MiB and stops
				if _, err := c.Read(make([]byte, 1)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if got := roundTrip(t, addr, get("/")); got.StatusCode != 200 || len(got.body) != 8<<20 {
		t.Errorf("status %d, %d bytes", got.StatusCode, len(got.body))
	}
}

func TestCloseFinishesRequests(t *testing.T) {
	begun, finish := make(chan bool), make(chan bool)
	g := &guest{handle: func(inv *invoke.Invocation) (dispatch.Result, error) {
		begun <- true
		<-finish
		return echo(inv)
	}}
	p := NewPublic(PublicConfig{Routes: mounted{g}})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- p.Serve(ln) }()
	c := dial(t, ln.Addr().String())
	send(t, c, get("/"))
	<-begun
	closed := make(chan error, 1)
	go func() { closed <- p.Close(context.Background()) }()
	if err := <-served; err != nil { // no new connections from here on
		t.Errorf("serve: %v", err)
	}
	if _, err := net.Dial("tcp", ln.Addr().String()); err == nil {
		t.Error("a connection is taken while closing")
	}
	select {
	case err := <-closed:
		t.Fatalf("close did not wait: %v", err)
	default:
	}
	close(finish)
	if got := receive(t, bufio.NewReader(c), "GET"); got.StatusCode != 200 || !got.Close {
		t.Errorf("status %d, close %v", got.StatusCode, got.Close)
	}
	if err := <-closed; err != nil {
		t.Errorf("close: %v", err)
	}
}

func TestCloseIsBounded(t *testing.T) {
	begun := make(chan bool)
	var p *Public
	g := &guest{handle: func(*invoke.Invocation) (dispatch.Result, error) {
		begun <- true
		<-p.ctx.Done() // a handler ends with its context
		return dispatch.Result{}, fault.New(fault.Deadline, "", "stopped")
	}}
	p = NewPublic(PublicConfig{Routes: mounted{g}})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- p.Serve(ln) }()
	c := dial(t, ln.Addr().String())
	send(t, c, get("/"))
	<-begun
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := p.Close(ctx); fault.CodeOf(err) != fault.Deadline {
		t.Errorf("close: %v, want a Deadline fault", err)
	}
	if err := <-served; err != nil {
		t.Errorf("serve: %v", err)
	}
}

func TestCloseBeforeServe(t *testing.T) {
	p := NewPublic(PublicConfig{Routes: mounted{}})
	if err := p.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Serve(ln); err != nil {
		t.Errorf("serve after close: %v", err)
	}
	if err := p.Serve(ln); fault.CodeOf(err) != fault.Internal {
		t.Errorf("a second serve: %v, want an Internal fault", err)
	}
}

// TestRefusalReachesWhoSends: a client that reads when it has sent everything
// finds the refusal of its body, and not a broken connection.
func TestRefusalReachesWhoSends(t *testing.T) {
	addr := publicFor(t, echo)
	const size = 16 << 20
	got := roundTrip(t, addr, request("POST", "/small", strings.Repeat("a", size), "Content-Length: "+strconv.Itoa(size)))
	if got.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("status %d: %s", got.StatusCode, got.body)
	}
	checkProblem(t, got)
}
