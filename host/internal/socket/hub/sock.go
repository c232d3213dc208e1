package hub

import (
	"strconv"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/server/stream"
	"github.com/wasmoor/wasmoor/host/internal/socket"
)

// sock is one socket. Its desk's mu guards what is not fixed. It implements
// stream.Listener.
type sock struct {
	desk    *desk
	id      string
	kind    stream.Kind
	pattern string
	params  []abi.Pair
	client  string
	opened  time.Time

	place      *stream.Place  // until all its events are handled
	stream     *stream.Stream // nil while it is being opened
	held       bool           // what is said waits in pending: it is being opened, or resumes
	pending    []outgoing
	size       int       // of their data, in bytes
	seen       socket.ID // kept events up to it were sent when it resumed
	topics     []string
	attachment string
	takes      bool // the version that serves handles its events

	inbox   []event
	wait    chan struct{} // is closed when inbox has room for the reader that waits; nil = none does
	running bool          // an event is being handled, or the socket is among the runnable
	over    bool          // its connection is closed; no event comes behind those in inbox
	code    int           // with which it is to be closed that is not open yet; 0 = not at all
	reason  string
}

// outgoing is an event on its way to one client.
type outgoing struct {
	event *stream.Event
	kept  bool
	id    socket.ID // of one that is kept
}

// What waits for a socket that is not open yet is bounded in events and bytes.
const (
	maxPending     = 256
	maxPendingSize = 512 << 10
)

// push sends an event, or has it wait. The caller holds the desk's mu.
func (one *sock) push(o outgoing) {
	switch {
	case one.over:
	case one.held && (len(one.pending) >= maxPending || one.size > maxPendingSize):
		one.end(stream.CodeTryAgain, "too much happens while it opens")
	case one.held:
		one.pending = append(one.pending, o)
		one.size += o.event.Size()
	case o.kept && !one.seen.Before(o.id):
	case !one.stream.Send(o.event): // it is over, or was dropped just now
		one.desk.unfollowAll(one)
	}
}

// end closes the socket after what was sent. The caller holds the desk's mu.
func (one *sock) end(code int, reason string) {
	if one.held {
		if one.code == 0 {
			one.code, one.reason = code, reason
		}
		return
	}
	one.stream.Close(code, reason)
}

// event is one of a client's to be handled.
type event struct {
	closed bool
	text   bool
	data   []byte
	code   int
	reason string
	left   bool
}

// maxInbox is how many messages of a client wait: nothing more is read before.
const maxInbox = 8

// maxWaiting is how many bytes the messages of a plugin's clients have that wait, or are
// being handled.
const maxWaiting = 64 << 20

// Message implements stream.Listener. It holds the client back while too much waits.
func (one *sock) Message(text bool, data []byte) {
	d := one.desk
	d.mu.Lock()
	for len(one.inbox) >= maxInbox {
		wait := make(chan struct{})
		one.wait = wait
		d.mu.Unlock()
		select {
		case <-wait:
		case <-d.service.cfg.Streams.Ended(): // the client was cut off, and nobody waits for its events
			return
		}
		d.mu.Lock()
	}
	defer d.mu.Unlock()
	if !one.takes {
		one.end(stream.CodeUnsupported, "nothing is taken here")
		return
	}
	if d.waiting+len(data) > maxWaiting {
		one.end(stream.CodeTryAgain, "too many messages wait")
		return
	}
	d.enqueue(one, event{text: text, data: data})
}

// Closed implements stream.Listener.
func (one *sock) Closed(code int, reason string, left bool) {
	d := one.desk
	d.mu.Lock()
	defer d.mu.Unlock()
	one.over = true
	one.pending = nil
	d.unfollowAll(one)
	switch {
	case one.takes:
		d.enqueue(one, event{closed: true, code: code, reason: reason, left: left})
	case !one.running:
		d.forget(one)
	}
}

// attributes are what the handler of an event is told. The caller holds the desk's mu.
func (one *sock) attributes(e *event) []abi.Pair {
	list := []abi.Pair{{Name: "socket.id", Value: one.id}, {Name: "socket.kind", Value: one.kind.String()}}
	if one.attachment != "" {
		list = append(list, abi.Pair{Name: "socket.attachment", Value: one.attachment})
	}
	if !e.closed {
		kind := "binary"
		if e.text {
			kind = "text"
		}
		return append(list, abi.Pair{Name: "socket.event", Value: "message"}, abi.Pair{Name: "socket.type", Value: kind})
	}
	by := "host"
	if e.left {
		by = "client"
	}
	return append(list, abi.Pair{Name: "socket.event", Value: "close"}, abi.Pair{Name: "socket.code", Value: strconv.Itoa(e.code)},
		abi.Pair{Name: "socket.reason", Value: e.reason}, abi.Pair{Name: "socket.by", Value: by})
}
