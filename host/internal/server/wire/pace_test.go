package wire

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
	"github.com/wasmoor/wasmoor/host/internal/spool"
)

// paced counts how often the connections of an edge get more time.
type paced struct {
	*onEdge
	extended, sent atomic.Int64 // to be read from, and written to
}

func (p *paced) Serve(ln net.Listener) error { return p.onEdge.Serve(pacedListener{ln, p}) }

type pacedListener struct {
	net.Listener
	of *paced
}

func (l pacedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return pacedConn{c, l.of}, err
}

type pacedConn struct {
	net.Conn
	of *paced
}

func (c pacedConn) SetReadDeadline(t time.Time) error {
	c.of.extended.Add(1)
	return c.Conn.SetReadDeadline(t)
}

func (c pacedConn) SetWriteDeadline(t time.Time) error {
	c.of.sent.Add(1)
	return c.Conn.SetWriteDeadline(t)
}

// TestLargeBodiesMove: a body has the timeout for each MiB that has arrived, and one in
// memory has it once.
func TestLargeBodiesMove(t *testing.T) {
	p := &paced{onEdge: spooling(openSpool(t, spool.Config{}), memory, anything)}
	addr := servertest.Listen(t, p)
	extended := func(size int) int64 {
		before := p.extended.Load()
		body := pattern(size)
		c := servertest.Dial(t, addr)
		servertest.Send(t, c, servertest.Request("POST", "/", body, "Connection: close", fmt.Sprintf("Content-Length: %d", size)))
		r := bufio.NewReader(c)
		if got := servertest.Receive(t, r, "POST"); got.Text != summed(body) {
			t.Fatalf("%d bytes: status %d: %s", size, got.StatusCode, got.Text)
		}
		if _, err := r.ReadByte(); err != io.EOF { // the connection gets no more time after that
			t.Fatal(err)
		}
		return p.extended.Load() - before
	}
	small := extended(paceBytes)
	if large := extended(5*paceBytes + paceBytes/2); large != small+5 {
		t.Errorf("a body of 5.5 MiB was given time %d times, one in memory %d times", large, small)
	}
}

// sending is a body that writes itself in one piece.
type sending struct{ io.Reader }

func (s sending) WriteTo(w io.Writer) (int64, error) { return io.Copy(w, s.Reader) }

// TestLargeAnswersMove: a client has the timeout for each MiB that it takes.
func TestLargeAnswersMove(t *testing.T) {
	body := pattern(5*paceBytes + paceBytes/2)
	p := &paced{onEdge: newTestEdge(Conns{})}
	p.handle = func(ctx *fasthttp.RequestCtx, _ *Body) {
		ctx.Response.SetBodyStream(sending{io.LimitReader(strings.NewReader(body), int64(len(body)))}, len(body))
	}
	addr := servertest.Listen(t, p)
	if got := servertest.RoundTrip(t, addr, servertest.Get("/")); got.Text != body {
		t.Errorf("status %d, %d bytes", got.StatusCode, len(got.Text))
	}
	if n := p.sent.Load(); n < 6 {
		t.Errorf("a body of 5.5 MiB was given time %d times", n)
	}
}

// TestClientThatTakesNothing is cut off after the write timeout.
func TestClientThatTakesNothing(t *testing.T) {
	ended := make(chan error, 1)
	e := newTestEdge(Conns{WriteTimeout: 50 * time.Millisecond})
	e.handle = func(ctx *fasthttp.RequestCtx, _ *Body) {
		const size = 1 << 40
		ctx.Response.SetBodyStream(unending{ended}, size)
	}
	c := servertest.Dial(t, servertest.Listen(t, e))
	servertest.Send(t, c, servertest.Get("/"))
	select {
	case err := <-ended:
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("it ends with %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("it is still being sent to")
	}
}

// unending is a body that tells how it ends.
type unending struct{ ended chan error }

func (unending) Read(p []byte) (int, error) { return len(p), nil }

func (s unending) WriteTo(w io.Writer) (int64, error) {
	n, err := io.Copy(w, io.LimitReader(sending{s}, 1<<40))
	s.ended <- err
	return n, err
}
