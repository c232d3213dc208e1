// Package presence finds out which clients have closed their connections while
// they wait for an answer. The system tells that only to who reads, and nobody
// reads a connection whose request runs. Only server/wire imports it.
package presence

import (
	"net"
	"slices"
	"sync"
	"syscall"
	"time"
)

// After is how long a client waits before it is looked at for the first time, and
// from one look to the next.
const After = 100 * time.Millisecond

// End is what it means that a client has ended its half of a connection: most have
// closed it, and some only say that they will send no more.
type End int

const (
	// Ignored says nothing: only a reset says that the client has left.
	Ignored End = iota
	// Probed says that the client understands an interim response. It gets one; where nobody
	// reads any more, the system answers with a reset.
	Probed
	// Leaves says that the client has left.
	Leaves
)

// Watcher looks at the connections of clients that wait. Its zero value is ready.
// It has no goroutine of its own: a timer runs while somebody waits. Safe for
// concurrent use.
type Watcher struct {
	mu      sync.Mutex
	watched map[*watch]struct{}
	pending bool // a look
}

// watch is one client that waits.
type watch struct {
	since time.Time

	mu    sync.Mutex // held while it is looked at
	conn  syscall.RawConn
	onEnd End
	left  func() // nil = over
}

// Watch calls left once when the client has left, and not after stop has
// returned. left must neither block nor call stop. On a system where nothing can
// be found out, it is never called. While a client is Probed nothing else may be
// written to conn.
func (w *Watcher) Watch(conn net.Conn, onEnd End, left func()) (stop func()) {
	s, ok := conn.(syscall.Conn)
	if !ok {
		return func() {}
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return func() {}
	}
	one := &watch{since: time.Now(), conn: raw, onEnd: onEnd, left: left}
	w.mu.Lock()
	if w.watched == nil {
		w.watched = map[*watch]struct{}{}
	}
	w.watched[one] = struct{}{}
	w.schedule()
	w.mu.Unlock()
	return func() { w.stop(one) }
}

func (w *Watcher) stop(one *watch) {
	w.mu.Lock()
	delete(w.watched, one)
	w.mu.Unlock()
	one.mu.Lock()
	one.left = nil
	one.mu.Unlock()
}

// schedule plans the next look. The caller holds mu.
func (w *Watcher) schedule() {
	if !w.pending && len(w.watched) > 0 {
		w.pending = true
		time.AfterFunc(After, w.look)
	}
}

// look looks at everybody who has waited long enough.
func (w *Watcher) look() {
	for _, one := range w.due(time.Now().Add(-After)) {
		one.look()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pending = false
	w.schedule()
}

func (w *Watcher) due(since time.Time) (due []*watch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	due = slices.Grow(due, len(w.watched))
	for one := range w.watched {
		if !one.since.After(since) {
			due = append(due, one)
		}
	}
	return due
}

func (one *watch) look() {
	one.mu.Lock()
	defer one.mu.Unlock()
	if one.left == nil {
		return
	}
	ended, gone := false, false
	_ = one.conn.Control(func(fd uintptr) { // a connection that is closed is no client's any more
		if ended, gone = state(fd); ended && !gone && one.onEnd == Probed {
			gone = !send(fd, interim)
			one.onEnd = Ignored
		}
	})
	if gone || ended && one.onEnd == Leaves {
		one.left()
		one.left = nil
	}
}

// interim is the response that every client of HTTP/1.1 has to read over
// (RFC 9110 §15.2).
const interim = "HTTP/1.1 100 Continue\r\n\r\n"
