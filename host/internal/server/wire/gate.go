package wire

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/limit"

	"github.com/wasmoor/wasmoor/host/internal/server/crowd"
)

// gate is a listener whose connections let only well-formed messages through to
// fasthttp, one at a time. fasthttp parses loosely and keeps no trace of what it
// forgave (line ends of the request line, folded fields, framing it overrode);
// on the wire it can still be seen. The gate answers what it refuses itself.
type gate struct {
	net.Listener
	headTimeout  time.Duration // from the first byte of a head to its last
	bodyTimeout  time.Duration // of a body, and for each part of a large one
	writeTimeout time.Duration // of a refusal, and of an answer of the shortcut
	idleTimeout  time.Duration // of a connection, after such an answer
	shortcut     Shortcut      // nil = there is none
	ending       *atomic.Bool  // answers end their connections
	refused      func(remote net.Addr, r *Refusal, id string)

	open  *atomic.Int64 // how many are
	mu    sync.Mutex
	max   int64 // connections open at a time; guarded by mu, as all below
	conns map[*gateConn]struct{}
	crowd crowd.Crowd

	drain drain
}

// Accept returns the next connection. Those over the maximum are told so and
// closed here. One goroutine calls it.
func (g *gate) Accept() (net.Conn, error) {
	for {
		nc, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &gateConn{Conn: nc, gate: g, since: time.Now().UnixNano()}
		r := g.admit(c)
		if r == nil {
			return c, nil
		}
		if _, secret := nc.(*tls.Conn); secret {
			c.cut() // an answer would wait for a handshake, and every later connection with it
			g.refused(nc.RemoteAddr(), r, NewRequestID())
			continue
		}
		c.answer(r)
		_ = c.Conn.Close()
	}
}

// admit counts a connection, or says why there may not be another.
func (g *gate) admit(c *gateConn) *Refusal {
	g.mu.Lock()
	defer g.mu.Unlock()
	ip, _ := AddrOf(c.RemoteAddr())
	c.place = g.crowd.Place(ip)
	if int64(len(g.conns)) >= g.max {
		return refuseCrowd
	}
	if !g.crowd.Enter(c.place) {
		return refuseAddress
	}
	g.conns[c] = struct{}{}
	g.open.Add(1)
	return nil
}

// leave ends the count of a connection that admit has counted.
func (g *gate) leave(c *gateConn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.conns, c)
	g.crowd.Leave(c.place)
	g.open.Add(-1)
}

// closeAll closes every connection, whatever it does.
func (g *gate) closeAll() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for c := range g.conns {
		c.cut()
	}
}

// cut closes the connection without a word: TLS would say goodbye, and wait for
// a client that does not listen.
func (c *gateConn) cut() {
	if t, ok := c.Conn.(*tls.Conn); ok {
		_ = t.NetConn().Close()
		return
	}
	_ = c.Conn.Close()
}

// gateConn is a connection that the gate accepted. Read is called by one goroutine at a
// time; Close by any.
type gateConn struct {
	net.Conn
	gate  *gate
	since int64 // nanoseconds of time, when it was accepted
	place netip.Prefix
	phase atomic.Int32

	stage   []byte    // read from the wire and not passed on
	cleared int       // how many of them may be passed on
	scanned int       // how many of them hold no end of a head
	timed   time.Time // when the shortcut has set deadlines that still stand; zero = they do not
	body    framing
	chunks  chunks
	refusal *Refusal // why the connection reads no further
	ended   error    // what Read returns then

	unread atomic.Bool // the client may still be sending: linger at Close
	closed atomic.Bool
}

var errRefused = errors.New("the request was refused")

// Read passes on bytes of the current message only, and nothing of a message
// before its whole head was judged. After a refusal in a head it returns io.EOF,
// the answer being on its way; in a body it returns an error, and who reads the
// body answers.
func (c *gateConn) Read(p []byte) (int, error) {
	if c.phase.Load() == handled {
		c.next(len(c.stage) > 0)
	}
	for c.cleared == 0 {
		switch {
		case c.refusal != nil:
			return 0, c.ended
		case len(c.stage) == 0 && (c.inBody() || len(p) >= limit.RequestHead):
			if n, err := c.readDirect(p); n > 0 || err != nil {
				c.passed()
				return n, err
			}
		case len(c.stage) == c.scanned:
			if err := c.fill(); err != nil {
				return 0, err
			}
		default:
			taken, passed := c.clear(c.stage)
			c.stage = append(c.stage[:passed], c.stage[taken:]...)
			c.cleared = passed
		}
	}
	n := copy(p, c.stage[:c.cleared])
	c.cleared -= n
	c.stage = c.stage[:copy(c.stage, c.stage[n:])]
	c.passed()
	return n, nil
}

// next notes that the reader waits for another message, of which some has come if more.
func (c *gateConn) next(more bool) {
	if more {
		c.phase.Store(arriving)
		return
	}
	c.phase.Store(idle)
}

// passed notes that a message was passed on whole.
func (c *gateConn) passed() {
	if c.cleared == 0 && !c.inBody() {
		c.phase.Store(handled)
		c.timed = time.Time{}
	}
}

// readDirect judges bytes where fasthttp wants them: no copy in the usual case,
// in which a read returns a whole head or a part of a body. It returns 0 and nil
// when a head is not whole yet, or nothing of what was read is passed on.
func (c *gateConn) readDirect(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n == 0 {
		return 0, c.failed(err)
	}
	c.phase.Store(arriving)
	taken, passed := c.clear(p[:n])
	if c.refusal == nil {
		c.stage = append(c.stage[:0], p[taken:n]...)
	}
	return passed, nil
}

// fill reads more of a head that has begun.
func (c *gateConn) fill() error {
	c.stage = slices.Grow(c.stage, stageSize)
	n, err := c.Conn.Read(c.stage[len(c.stage):cap(c.stage)])
	if n == 0 {
		return c.failed(err)
	}
	c.phase.Store(arriving)
	c.stage = c.stage[:len(c.stage)+n]
	return nil
}

const stageSize = 4 << 10

// clear judges b, the next bytes on the wire: a head once it is whole, and what
// follows of its body. It stops at the end of the message, so that the next one is
// judged as a message of its own. It returns how many bytes it took, and how many
// may be passed on, which are then the first of b: of a chunked body some are not.
func (c *gateConn) clear(b []byte) (taken, passed int) {
	if !c.inBody() {
		taken = c.clearHead(b)
	}
	switch {
	case c.inBody():
	case taken > 0 && c.shorten(b[:taken], len(b) > taken):
		return taken, 0
	default:
		return taken, taken
	}
	n, kept := c.clearBody(b[taken:])
	return taken + n, taken + kept
}

func (c *gateConn) clearHead(b []byte) int {
	n, r := findHead(b, c.scanned)
	if n == 0 && r == nil {
		if c.scanned == 0 { // fasthttp still takes the connection for idle
			_ = c.SetReadDeadline(time.Now().Add(c.gate.headTimeout))
			c.timed = time.Time{}
		}
		c.scanned = len(b)
		return 0
	}
	c.scanned = 0
	if r == nil {
		c.body, r = judge(b[:n])
	}
	if r != nil {
		c.refuse(r, io.EOF)
		c.answer(r)
		return 0
	}
	if c.inBody() {
		c.unread.Store(true)
	}
	return n
}

func (c *gateConn) inBody() bool { return c.body.chunked || c.body.length > 0 }

func (c *gateConn) clearBody(b []byte) (taken, passed int) {
	if !c.body.chunked {
		n := int(min(c.body.length, int64(len(b))))
		if c.body.length -= int64(n); c.body.length == 0 {
			c.unread.Store(false)
		}
		return n, n
	}
	taken, passed, done, r := c.chunks.feed(b)
	if r != nil {
		c.refuse(r, errRefused)
		return taken, 0
	}
	if done {
		c.body.chunked = false
		c.unread.Store(false)
	}
	return taken, passed
}

// refuse ends what is read from the connection, with err.
func (c *gateConn) refuse(r *Refusal, err error) {
	c.refusal, c.ended = r, err
	c.unread.Store(true)
}

// failed says what the failure of a read is at this point: silence between
// messages, an answer to a slow head, and never a clean end inside a body.
func (c *gateConn) failed(err error) error {
	slow := errors.Is(err, os.ErrDeadlineExceeded)
	stopping := slow && c.gate.drain.begun.Load() != 0
	switch {
	case c.inBody() && stopping:
		c.refuse(refuseStopping, err)
	case len(c.stage) > 0 && stopping:
		c.refuse(refuseStopping, io.EOF)
		c.answer(refuseStopping)
	case stopping:
		c.unread.Store(true) // it may be sending just now: let it see an end, and not a reset
		return io.EOF
	case c.inBody() && slow:
		c.refuse(refuseSlowBody, err)
	case c.inBody():
		c.refuse(refuseTruncated, io.ErrUnexpectedEOF)
	case slow && len(c.stage) > 0:
		c.refuse(refuseSlowHead, io.EOF)
		c.answer(refuseSlowHead)
	case isPlain(err):
		c.answerPlain(err)
		return io.EOF
	default:
		return io.EOF
	}
	return c.ended
}

// answer sends a refusal. Nothing else is being written: fasthttp has flushed
// every response before it waits for another request.
func (c *gateConn) answer(r *Refusal) {
	id := NewRequestID()
	_ = c.SetWriteDeadline(time.Now().Add(c.gate.writeTimeout))
	_, _ = c.Conn.Write(r.response(id))
	c.gate.refused(c.RemoteAddr(), r, id)
}

// isPlain reports whether a client speaks HTTP to a listener of TLS.
func isPlain(err error) bool {
	e, ok := errors.AsType[tls.RecordHeaderError](err)
	return ok && e.Conn != nil && slices.Contains([]string{"GET /", "HEAD ", "POST ", "PUT /", "PATCH", "DELET", "OPTIO"}, string(e.RecordHeader[:]))
}

// answerPlain answers such a client in its own tongue; there is no secret yet.
func (c *gateConn) answerPlain(err error) {
	if e, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		id := NewRequestID()
		_ = e.Conn.SetWriteDeadline(time.Now().Add(c.gate.writeTimeout))
		_, _ = e.Conn.Write(refusePlain.response(id))
		c.gate.refused(c.RemoteAddr(), refusePlain, id)
	}
}

// Close closes the connection, once. A client that is still sending would lose
// the answer to a reset: it gets a moment to read it first.
func (c *gateConn) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	if c.unread.Load() {
		c.linger()
	}
	c.gate.leave(c)
	return c.Conn.Close()
}

// lingerTime is what a lingering close takes at most. It reads as much as arrives
// meanwhile: whoever sends 64 MiB at once has not seen the answer before the end.
const lingerTime = 500 * time.Millisecond

func (c *gateConn) linger() {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	_ = c.Conn.SetReadDeadline(time.Now().Add(lingerTime)) // a drain does not shorten it
	_, _ = io.Copy(io.Discard, c.Conn)
}
