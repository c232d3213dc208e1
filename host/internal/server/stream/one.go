package stream

import (
	"bytes"
	"crypto/tls"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"
)

// Stream is one connection. It has a goroutine that reads, and one that writes while
// something waits to be written. Safe for concurrent use.
type Stream struct {
	streams  *Streams
	place    *Place
	keeps    bool // the listener leaves the place
	kind     Kind
	conn     net.Conn
	listener Listener

	heard  atomic.Int64 // Unix nanoseconds of the last byte from the client
	wrote  atomic.Int64 // of the last write to it
	pinged atomic.Int64 // and of the last ping
	busy   atomic.Bool  // the listener has a message: nobody listens to the client

	mu       sync.Mutex    // guards all below
	queue    []piece       // what waits to be written
	events   int           // that wait to be written, or are being written
	flying   int           // of them: those that are being written
	size     int           // bytes in queue
	pongs    []byte        // answers to pings, that wait to be written
	writing  chan struct{} // closed when the goroutine ends that writes; nil = there is none
	shut     bool          // nothing more is taken; a goodbye is the last in queue
	answered bool          // the client has said goodbye
	deaf     bool          // what the client sends makes no sense any more
	gone     bool          // the connection is closed
	left     bool          // the client has ended it
	code     int           // of its end, 0 = it goes on
	reason   string
}

// piece is something to write. Its bytes may be others' too, and are not changed.
type piece struct {
	bytes []byte
	event bool
}

// begin sends what comes first.
func (one *Stream) begin(o *Opening) {
	now := time.Now().UnixNano()
	one.heard.Store(now)
	one.wrote.Store(now)
	one.mu.Lock()
	if len(o.Head) > 0 {
		one.put(piece{bytes: bytes.Clone(o.Head)})
	}
	for _, e := range o.First { // with the head: that one waits says nothing of the client
		one.streams.counts.out.Add(1)
		one.events++
		one.put(piece{e.wire(one.kind), true})
	}
	one.mu.Unlock()
}

// Kind returns what the stream speaks.
func (one *Stream) Kind() Kind { return one.kind }

// Client returns the client's address.
func (one *Stream) Client() net.Addr { return one.conn.RemoteAddr() }

// Send has an event written after all that waits, and returns at once. It reports
// false when the stream takes nothing more: it is over, or was just dropped, because its
// client reads too slowly. Closed tells of that.
func (one *Stream) Send(e *Event) bool {
	b := e.wire(one.kind)
	one.mu.Lock()
	defer one.mu.Unlock()
	if one.shut {
		return false
	}
	cfg := &one.streams.cfg
	if one.events >= cfg.QueueEvents || one.size > 0 && one.size+len(b) > cfg.QueueBytes {
		one.streams.counts.slow.Add(1)
		one.drop(CodeTryAgain, "the client reads too slowly")
		return false
	}
	one.streams.counts.out.Add(1)
	one.events++
	one.put(piece{b, true})
	return true
}

// Waiting returns how many events wait to be written. One that is being written counts.
func (one *Stream) Waiting() int {
	one.mu.Lock()
	defer one.mu.Unlock()
	return one.events
}

// Fits reports whether an event may be sent although another of its size comes before the
// client has taken more. It is true of a stream that takes nothing more.
func (one *Stream) Fits(e *Event) bool {
	n := len(e.wire(one.kind))
	one.mu.Lock()
	defer one.mu.Unlock()
	return one.shut || one.size == 0 || one.size+n <= one.streams.cfg.QueueBytes/2
}

// Close says goodbye after all that waits, with a code for which MayClose holds, and
// closes the stream when the client has heard it. It returns at once. The first end of a
// stream counts.
func (one *Stream) Close(code int, reason string) {
	one.mu.Lock()
	defer one.mu.Unlock()
	one.end(code, reason)
}

// Drop is Close without what waits.
func (one *Stream) Drop(code int, reason string) {
	one.mu.Lock()
	defer one.mu.Unlock()
	one.drop(code, reason)
}

// drop is Drop. The caller holds mu.
func (one *Stream) drop(code int, reason string) {
	if one.shut {
		return
	}
	one.queue, one.events, one.size = nil, one.flying, 0
	one.end(code, reason)
}

// end ends the stream with a goodbye. The caller holds mu.
func (one *Stream) end(code int, reason string) {
	if one.shut {
		return
	}
	one.code, one.reason = code, reason
	one.shut = true
	_ = one.conn.SetWriteDeadline(time.Now().Add(closeWait)) // of what is being written
	if one.kind == WebSocket {
		one.put(piece{bytes: closing(code, reason)})
		return
	}
	retry := 0
	if code == CodeGoingAway || code == CodeTryAgain {
		retry = 500 + rand.IntN(4500) // not all at once
	}
	one.put(piece{bytes: bye(reason, retry)})
}

// put queues bytes. The caller holds mu.
func (one *Stream) put(p piece) {
	if one.gone {
		return
	}
	one.queue = append(one.queue, p)
	one.size += len(p.bytes)
	one.wake()
}

// wake has somebody write what waits. The caller holds mu.
func (one *Stream) wake() {
	if one.writing == nil && !one.gone {
		one.writing = make(chan struct{})
		one.streams.going.Add(1) // the reader counts until the writer has ended
		go one.write()
	}
}

// write writes what waits until nothing does.
func (one *Stream) write() {
	defer one.streams.going.Done()
	for {
		b, patience, last := one.next()
		if b == nil {
			return
		}
		now := time.Now()
		one.wrote.Store(now.UnixNano())
		_ = one.conn.SetWriteDeadline(now.Add(patience))
		if _, err := one.conn.Write(b); err != nil {
			one.hangUp(CodeLost, "") // next ends it
			continue
		}
		one.streams.counts.bytesOut.Add(int64(len(b)))
		if last {
			one.said()
		}
	}
}

// together is how much is written at once of what is several pieces.
const together = 16 << 10

// next takes what is to be written next, and how long that may take; nil = nothing, and
// then the writer ends. last says that it ends with the goodbye.
func (one *Stream) next() (b []byte, patience time.Duration, last bool) {
	one.mu.Lock()
	defer one.mu.Unlock()
	one.events -= one.flying
	one.flying = 0
	patience = one.streams.cfg.WriteTimeout
	if one.shut {
		patience = min(patience, closeWait)
	}
	if p := one.pongs; p != nil && !one.shut {
		one.pongs = nil
		return p, patience, false
	}
	if len(one.queue) == 0 || one.gone {
		close(one.writing)
		one.writing, one.queue, one.events, one.size = nil, nil, 0, 0
		return nil, 0, false
	}
	b = one.take()
	return b, patience, one.shut && len(one.queue) == 0
}

// take takes the first pieces that wait, as one. The caller holds mu.
func (one *Stream) take() []byte {
	n, size := 1, len(one.queue[0].bytes)
	for n < len(one.queue) && size+len(one.queue[n].bytes) <= together {
		size += len(one.queue[n].bytes)
		n++
	}
	b := one.queue[0].bytes
	if n > 1 {
		b = make([]byte, 0, size)
	}
	for _, p := range one.queue[:n] {
		if n > 1 {
			b = append(b, p.bytes...)
		}
		if p.event {
			one.flying++
		}
	}
	clear(one.queue[:n])
	one.queue = one.queue[n:]
	one.size -= size
	return b
}

// closeWait is how long a client may take that was told goodbye: to read it, and to
// answer.
const closeWait = 2 * time.Second

// said ends a stream that has said goodbye: at once, where the client has as well. To a
// client that is not understood any more it says so by the end of what it sends: an answer
// would not be understood, and a connection that is closed while the client sends takes
// the goodbye from it.
func (one *Stream) said() {
	one.mu.Lock()
	over, deaf := one.answered || one.kind == EventSource, one.deaf
	one.gone = one.gone || over
	one.mu.Unlock()
	if over {
		_ = one.conn.Close() // TLS says that nothing was cut off
		return
	}
	_ = one.conn.SetReadDeadline(time.Now().Add(closeWait))
	if half, ok := one.conn.(interface{ CloseWrite() error }); ok && deaf {
		_ = half.CloseWrite() // the deadline ends it as well
	}
}

// fail ends a stream with a problem that the client's frames have.
func (one *Stream) fail(p *problem) {
	one.mu.Lock()
	defer one.mu.Unlock()
	one.deaf = true
	one.drop(p.code, p.reason)
}

// hangUp closes the connection. Unless the stream has an end already, it is this one,
// and the client's.
func (one *Stream) hangUp(code int, reason string) {
	one.mu.Lock()
	if one.code == 0 {
		one.code, one.reason, one.left = code, reason, true
	}
	one.shut, one.gone = true, true
	one.mu.Unlock()
	cut(one.conn)
}

// leave notes that the client has said goodbye, and answers it. It reports whether the
// host has said it as well.
func (one *Stream) leave(code int, reason string) (over bool) {
	one.mu.Lock()
	defer one.mu.Unlock()
	one.answered = true
	if !one.shut {
		one.left = true
		one.end(code, reason)
	}
	return len(one.queue) == 0 && one.writing == nil
}

// spoken waits until all is written that was to be.
func (one *Stream) spoken() {
	one.mu.Lock()
	writing := one.writing
	one.mu.Unlock()
	if writing != nil {
		<-writing
	}
}

// maxPongs is how many bytes of pongs wait: those that a client does not read in time make
// place for the last, which is the one that the RFC wants.
const maxPongs = 2 << 10

// answerPing answers a ping.
func (one *Stream) answerPing(payload []byte) {
	one.mu.Lock()
	defer one.mu.Unlock()
	if one.shut {
		return
	}
	if len(one.pongs) >= maxPongs {
		one.pongs = nil
	}
	one.pongs = append(one.pongs, frame(ws.OpPong, payload)...)
	one.wake()
}

// look pings a client that was silent for long, and drops one that does not answer. An
// event stream gets a comment, where nothing else was sent: its client never answers.
func (one *Stream) look(now time.Time) {
	every := one.streams.cfg.Ping
	heard, pinged := time.Unix(0, one.heard.Load()), time.Unix(0, one.pinged.Load())
	switch {
	case one.kind == EventSource:
		if now.Sub(time.Unix(0, one.wrote.Load())) >= every {
			one.keepAlive(comment)
		}
	case one.busy.Load() || now.Sub(heard) < every:
	case pinged.Before(heard):
		one.pinged.Store(now.UnixNano())
		one.keepAlive(frame(ws.OpPing, nil))
	case now.Sub(pinged) >= every:
		one.streams.counts.lost.Add(1)
		one.hangUp(CodeLost, "the client does not answer")
	}
}

func (one *Stream) keepAlive(b []byte) {
	one.mu.Lock()
	defer one.mu.Unlock()
	if !one.shut {
		one.put(piece{bytes: b})
	}
}

// cut closes a connection without a word: TLS would say goodbye, and wait for a client
// that does not listen.
func cut(conn net.Conn) {
	if t, ok := conn.(*tls.Conn); ok {
		_ = t.NetConn().Close()
		return
	}
	_ = conn.Close()
}

// Over reports whether the stream takes nothing more.
func (one *Stream) Over() bool {
	one.mu.Lock()
	defer one.mu.Unlock()
	return one.shut
}
