package public

import (
	"bufio"
	"context"
	"net"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
)

// TestSlowClientsHoldNobody: clients that stop in the middle of everything do
// not keep another one from its answer.
func TestSlowClientsHoldNobody(t *testing.T) {
	addr := publicFor(t, reply(200, strings.Repeat("a", 8<<20)))
	for i, raw := range []string{"GET / HT", servertest.Request("POST", "/", "ab", "Content-Length: 5"), servertest.Get("/")} {
		for range 20 {
			c := servertest.Dial(t, addr)
			servertest.Send(t, c, raw)
			if i == 2 { // takes a byte of 8 MiB and stops
				if _, err := c.Read(make([]byte, 1)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if got := servertest.RoundTrip(t, addr, servertest.Get("/")); got.StatusCode != 200 || len(got.Text) != 8<<20 {
		t.Errorf("status %d, %d bytes", got.StatusCode, len(got.Text))
	}
}

func TestCloseFinishesRequests(t *testing.T) {
	begun, finish := make(chan bool), make(chan bool)
	g := &guest{handle: func(inv *invoke.Invocation) (dispatch.Result, error) {
		begun <- true
		<-finish
		return echo(inv)
	}}
	p := newPublic(Config{Routes: mounted{g}})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- p.Serve(ln) }()
	c := servertest.Dial(t, ln.Addr().String())
	servertest.Send(t, c, servertest.Get("/"))
	<-begun
	closed := make(chan error, 1)
	go func() { closed <- p.Close(context.Background()) }()
	if err := <-served; err != nil { // no new connections from here on
		t.Errorf("serve: %v", err)
	}
	if other, err := net.Dial("tcp", ln.Addr().String()); err == nil { // the port may be another process's by now
		_ = other.Close()
		if n := p.Open(); n != 1 {
			t.Errorf("%d connections are open: one is taken while closing", n)
		}
	}
	select {
	case err := <-closed:
		t.Fatalf("close did not wait: %v", err)
	default:
	}
	close(finish)
	if got := servertest.Receive(t, bufio.NewReader(c), "GET"); got.StatusCode != 200 || !got.Close {
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
		<-p.edge.Context().Done() // a handler ends with its context
		return dispatch.Result{}, fault.New(fault.Deadline, "", "stopped")
	}}
	p = newPublic(Config{Routes: mounted{g}})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- p.Serve(ln) }()
	c := servertest.Dial(t, ln.Addr().String())
	servertest.Send(t, c, servertest.Get("/"))
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
	p := newPublic(Config{Routes: mounted{}})
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
