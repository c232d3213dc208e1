package wire

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
)

// draining serves an edge; end closes it and wants it to end by itself.
func draining(t *testing.T, e *onEdge) (addr string, end func()) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- e.Serve(ln) }()
	return ln.Addr().String(), func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := e.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	}
}

// kept opens a connection that has had an answer.
func kept(t *testing.T, addr string) (net.Conn, *bufio.Reader) {
	t.Helper()
	c := servertest.Dial(t, addr)
	r := bufio.NewReader(c)
	servertest.Send(t, c, servertest.Get("/"))
	if got := servertest.Receive(t, r, "GET"); got.Close {
		t.Fatal("the connection is not kept")
	}
	return c, r
}

// TestDrainResetsNobody: an idle connection is either answered for the last time, or
// ends without a reset, whenever its client sends.
func TestDrainResetsNobody(t *testing.T) {
	const clients = 200
	e := newTestEdge(Conns{})
	addr, end := draining(t, e)
	var all sync.WaitGroup
	begun := make(chan struct{})
	answered := make(chan bool, clients)
	for i := range clients {
		c, r := kept(t, addr)
		all.Go(func() {
			<-begun
			time.Sleep(time.Duration(i) * 2 * idleGrace / clients)
			if _, err := io.WriteString(c, servertest.Get("/")); err != nil {
				t.Errorf("client %d cannot send: %v", i, err)
				return
			}
			res, err := http.ReadResponse(r, nil)
			switch {
			case err == nil && (res.StatusCode != 200 || !res.Close):
				t.Errorf("client %d: status %d, close %v", i, res.StatusCode, res.Close)
			case errors.Is(err, syscall.ECONNRESET):
				t.Errorf("client %d: the connection was reset", i)
			}
			answered <- err == nil
		})
	}
	all.Go(func() { // before that an answer does not end its connection
		for ; !e.ending.Load(); time.Sleep(time.Millisecond) {
		}
		close(begun)
	})
	end()
	all.Wait()
	close(answered)
	n := 0
	for yes := range answered {
		if yes {
			n++
		}
	}
	if n == 0 {
		t.Error("nobody was answered")
	}
}

// TestDrainTellsWhoWaits: with silent clients the drain ends soon, and each sees an
// end.
func TestDrainTellsWhoWaits(t *testing.T) {
	for _, name := range []string{"idle", "new"} {
		t.Run(name, func(t *testing.T) {
			e := newTestEdge(Conns{})
			addr, end := draining(t, e)
			c := servertest.Dial(t, addr)
			r := bufio.NewReader(c)
			if name == "idle" {
				c, r = kept(t, addr)
			}
			for e.Open() == 0 { // the kernel resets what nobody has accepted yet
				time.Sleep(time.Millisecond)
			}
			done := make(chan struct{})
			go func() { end(); close(done) }()
			if rest, err := io.ReadAll(r); len(rest) > 0 || err != nil {
				t.Errorf("got %q, %v, want the end", rest, err)
			}
			_ = c.Close()
			<-done
		})
	}
}

// TestDrainHalfSent: a request that does not arrive is refused, and holds nothing.
func TestDrainHalfSent(t *testing.T) {
	for name, sent := range map[string]string{
		"head":    "GET / HT",
		"body":    servertest.Request("POST", "/", "ab", "Content-Length: 5"),
		"no body": servertest.Request("POST", "/", "", "Content-Length: 5"),
		"chunked": servertest.Request("POST", "/", "5\r\nab", "Transfer-Encoding: chunked"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr, end := draining(t, newTestEdge(Conns{}))
			c, r := kept(t, addr)
			servertest.Send(t, c, sent)
			time.Sleep(20 * time.Millisecond) // for it to arrive, which nobody tells
			done := make(chan struct{})
			go func() { end(); close(done) }()
			got := servertest.Receive(t, r, "POST")
			if got.StatusCode != http.StatusServiceUnavailable || !got.Close {
				t.Errorf("status %d, close %v", got.StatusCode, got.Close)
			}
			servertest.CheckProblem(t, got)
			<-done
		})
	}
}

// TestDrainTakesWhoComes: as long as a request still arrives, new connections are
// served, and one that arrives in time is too.
func TestDrainTakesWhoComes(t *testing.T) {
	addr, end := draining(t, newTestEdge(Conns{}))
	old, oldReader := kept(t, addr)
	servertest.Send(t, old, servertest.Request("POST", "/", "ab", "Content-Length: 5"))
	time.Sleep(20 * time.Millisecond) // for it to arrive
	done := make(chan struct{})
	go func() { end(); close(done) }()
	for {
		got := servertest.RoundTrip(t, addr, servertest.Get("/"))
		if got.StatusCode != 200 {
			t.Errorf("status %d", got.StatusCode)
		}
		if got.Close {
			break
		}
	}
	servertest.Send(t, old, "cde")
	if got := servertest.Receive(t, oldReader, "POST"); got.StatusCode != 200 || got.Text != "abcde" || !got.Close {
		t.Errorf("status %d, %q, close %v", got.StatusCode, got.Text, got.Close)
	}
	<-done
}

// TestDrainWaitsForHandlers: also for those of connections that arrive meanwhile.
func TestDrainWaitsForHandlers(t *testing.T) {
	e := newTestEdge(Conns{})
	begun, finish := make(chan struct{}), make(chan struct{})
	e.handle = func(ctx *fasthttp.RequestCtx, body *Body) {
		begun <- struct{}{}
		<-finish
		echo(ctx, body)
	}
	addr, end := draining(t, e)
	c := servertest.Dial(t, addr)
	servertest.Send(t, c, servertest.Request("POST", "/", "hello", "Content-Length: 5"))
	<-begun
	done := make(chan struct{})
	go func() { end(); close(done) }()
	select {
	case <-done:
		t.Error("the edge did not wait")
	case <-time.After(2 * idleGrace):
	}
	close(finish)
	if got := servertest.Receive(t, bufio.NewReader(c), "POST"); got.Text != "hello" || !got.Close {
		t.Errorf("%q, close %v", got.Text, got.Close)
	}
	<-done
}
