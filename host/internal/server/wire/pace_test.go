package wire

import (
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
	"github.com/wasmoor/wasmoor/host/internal/spool"
)

// paced counts how often the connections of an edge get more time to be read from.
type paced struct {
	*onEdge
	extended atomic.Int64
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

// TestLargeBodiesMove: a body has the timeout for each MiB that has arrived, and one in
// memory has it once.
func TestLargeBodiesMove(t *testing.T) {
	p := &paced{onEdge: spooling(openSpool(t, spool.Config{}), memory, anything)}
	addr := servertest.Listen(t, p)
	extended := func(size int) int64 {
		before := p.extended.Load()
		body := pattern(size)
		got := servertest.RoundTrip(t, addr, servertest.Request("POST", "/", body, fmt.Sprintf("Content-Length: %d", size)))
		if got.Text != summed(body) {
			t.Fatalf("%d bytes: status %d: %s", size, got.StatusCode, got.Text)
		}
		return p.extended.Load() - before
	}
	small := extended(paceBytes)
	if large := extended(5*paceBytes + paceBytes/2); large != small+5 {
		t.Errorf("a body of 5.5 MiB was given time %d times, one in memory %d times", large, small)
	}
}
