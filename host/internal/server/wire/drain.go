package wire

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// While an edge drains every answer ends its connection. So the clients whose
// requests follow each other closely learn of the end from an answer; the others
// have these times, from the beginning of the drain or of their connection.
const (
	idleGrace    = 250 * time.Millisecond // to begin a request
	arrivalGrace = time.Second            // for one that has begun to arrive whole
)

var refuseStopping = Refusing(http.StatusServiceUnavailable, fault.Unavailable, "the server is stopping, and the request has not arrived; nothing was done, try again")

// phase says what a connection is at. Its reader sets it.
type phase = int32

const (
	idle     phase = iota // nothing of a request has come
	arriving              // a part has
	handled               // all of it: whoever reads the connection has it
)

// drain is what a gate knows of the end of its edge.
type drain struct{ begun atomic.Int64 } // nanoseconds of time; 0 = not yet

// until returns when the gate stops to wait for the request of a connection, the
// zero time if it does not drain.
func (d *drain) until(c *gateConn) time.Time {
	begun := d.begun.Load()
	if begun == 0 {
		return time.Time{}
	}
	grace := idleGrace
	if c.phase.Load() != idle {
		grace = arrivalGrace
	}
	return time.Unix(0, max(begun, c.since)).Add(grace)
}

// SetReadDeadline implements net.Conn. While the gate drains, no deadline is later
// than it allows. The drain may begin at any time: it shortens the deadlines that
// it finds, and those that are set at the same time see it when they look again.
func (c *gateConn) SetReadDeadline(t time.Time) error {
	if err := c.Conn.SetReadDeadline(t); err != nil {
		return err
	}
	if end := c.gate.drain.until(c); !end.IsZero() && (t.IsZero() || end.Before(t)) {
		return c.Conn.SetReadDeadline(end)
	}
	return nil
}

// beginDrain has idle connections and requests that arrive end soon.
func (g *gate) beginDrain() {
	g.drain.begun.CompareAndSwap(0, time.Now().UnixNano())
	g.mu.Lock()
	defer g.mu.Unlock()
	for c := range g.conns {
		if c.phase.Load() != handled {
			_ = c.Conn.SetReadDeadline(g.drain.until(c))
		}
	}
}

// shed reports whether nobody who connected before the drain is still waited for.
func (g *gate) shed() bool {
	begun := g.drain.begun.Load()
	g.mu.Lock()
	defer g.mu.Unlock()
	for c := range g.conns {
		if c.since < begun && c.phase.Load() != handled {
			return false
		}
	}
	return true
}

// closing makes every answer of a server the last on its connection once the edge
// closes.
func (e *Edge) closing(handler fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		handler(ctx)
		if e.ending.Load() {
			ctx.SetConnectionClose()
		}
	}
}

// lookEvery is the time between two looks at connections that end.
const lookEvery = 5 * time.Millisecond

// await waits until done or the end of ctx.
func await(ctx context.Context, done func() bool) {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for !done() {
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		}
	}
}

// settle lets the connections of a gate come to their ends: first it takes new
// ones, for as long as those before them still have a request to send, then it
// waits for the requests that run.
func (g *gate) settle(ctx context.Context) {
	g.beginDrain()
	accepting, cancel := context.WithTimeout(ctx, arrivalGrace)
	await(accepting, g.shed)
	cancel()
	_ = g.Close() // Serve may not have told fasthttp of it yet
	await(ctx, func() bool { return g.open.Load() == 0 })
}
