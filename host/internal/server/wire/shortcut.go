package wire

import (
	"io"
	"net"
	"sync"
	"time"
)

// Shortcut answers a request without a body by its head, which the gate has let through: it
// appends the whole answer, after which the connection goes on. A request that it appends
// nothing for goes the usual way. The head is its caller's.
type Shortcut func(answer, head []byte, peer net.Addr, now time.Time) []byte

// shorten answers a request that the shortcut has an answer to. It reports whether it has.
// more says that something of what follows the head has come.
func (c *gateConn) shorten(head []byte, more bool) bool {
	g := c.gate
	if g.shortcut == nil || g.ending.Load() {
		return false
	}
	now := time.Now()
	buf := shortAnswers.Get().(*[]byte) //nolint:forcetypeassert // New makes no other
	defer shortAnswers.Put(buf)
	c.phase.Store(handled)
	answer := g.shortcut((*buf)[:0], head, c.RemoteAddr(), now)
	if len(answer) == 0 {
		c.phase.Store(arriving)
		return false
	}
	*buf = answer[:0]
	// The timeouts count from up to a sixteenth before: to set them takes time.
	late := now.Sub(c.timed) > min(g.writeTimeout, g.idleTimeout)/16
	if late {
		c.timed = now
		_ = c.SetWriteDeadline(now.Add(g.writeTimeout))
	}
	if _, err := c.Conn.Write(answer); err != nil {
		c.cut()
		c.refusal, c.ended = refuseGone, io.EOF // and nothing that came with the request is read
		return true
	}
	end := time.Now()
	c.next(more)
	slow := end.Sub(now) > min(g.writeTimeout, g.idleTimeout)/16 // a client that takes an answer slowly is not idle meanwhile
	if late || slow || g.drain.begun.Load() != 0 {               // a drain that saw it handled has left its deadline alone
		_ = c.SetReadDeadline(end.Add(g.idleTimeout))
	}
	return true
}

// refuseGone is nobody's to read.
var refuseGone = Bad("the client takes no answer")

var shortAnswers = sync.Pool{New: func() any { return new([]byte) }}
