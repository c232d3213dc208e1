package wire

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
)

// shortAt answers requests for /short.
func shortAt(answer, head []byte, _ net.Addr, _ time.Time) []byte {
	if !bytes.HasPrefix(head, []byte("GET /short ")) {
		return nil
	}
	return append(answer, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nshort"...)
}

func newShortEdge(conns Conns) *onEdge {
	e := newTestEdge(conns)
	e.Shortcut = shortAt
	return e
}

// TestShortcut: requests that the shortcut answers and others follow each other on a
// connection, however they arrive.
func TestShortcut(t *testing.T) {
	addr := servertest.Listen(t, newShortEdge(Conns{}))
	post := servertest.Request("POST", "/", "body", "Content-Length: 4")
	chunked := servertest.Request("POST", "/", "4\r\nbody\r\n0\r\n\r\n", "Transfer-Encoding: chunked")
	withBody := servertest.Request("GET", "/short", "body", "Content-Length: 4")
	short := servertest.Get("/short")
	all := []struct{ request, want string }{
		{short, "short"}, {short, "short"}, {post, "body"}, {short, "short"}, {chunked, "body"}, {withBody, "body"}, {short, "short"}, {servertest.Get("/"), ""}, {short, "short"},
	}
	var text strings.Builder
	for _, one := range all {
		text.WriteString(one.request)
	}
	for name, size := range map[string]int{"at once": text.Len(), "in pieces": 7, "byte by byte": 1} {
		t.Run(name, func(t *testing.T) {
			c := servertest.Dial(t, addr)
			go func() {
				for s := text.String(); s != ""; {
					n := min(size, len(s))
					if _, err := io.WriteString(c, s[:n]); err != nil {
						return // the reader tells
					}
					s = s[n:]
				}
			}()
			r := bufio.NewReader(c)
			for i, one := range all {
				if got := servertest.Receive(t, r, "GET"); got.StatusCode != 200 || got.Text != one.want {
					t.Fatalf("answer %d: %d %q", i, got.StatusCode, got.Text)
				}
			}
		})
	}
	servertest.CheckRefused(t, addr, short, "GET /short HTTP/1.1\r\nHost: test\nA: b\r\n\r\n", 400)
	servertest.CheckRefused(t, addr, short, "GET /short HTTP/1.1\r\n\r\n", 400)
}

// TestShortcutDrains: a connection that has had such answers ends with its edge, and the last
// answer says so.
func TestShortcutDrains(t *testing.T) {
	e := newShortEdge(Conns{IdleTimeout: time.Hour})
	addr, end := draining(t, e)
	open := func() (net.Conn, *bufio.Reader) {
		c := servertest.Dial(t, addr)
		r := bufio.NewReader(c)
		for range 3 { // the second changes no deadline
			servertest.Send(t, c, servertest.Get("/short"))
			if got := servertest.Receive(t, r, "GET"); got.Text != "short" {
				t.Fatalf("got %q", got.Text)
			}
		}
		return c, r
	}
	_, quiet := open()
	busy, answers := open()
	e.ending.Store(true)
	servertest.Send(t, busy, servertest.Get("/short"))
	if got := servertest.Receive(t, answers, "GET"); !got.Close || got.StatusCode != 200 {
		t.Errorf("the last answer: %d, close %v", got.StatusCode, got.Close)
	}
	end()
	if rest, err := io.ReadAll(quiet); err != nil || len(rest) > 0 {
		t.Errorf("the idle connection ends with %q, %v", rest, err)
	}
}

// timedConn has requests, and notes the deadlines that are set.
type timedConn struct {
	net.Conn
	requests    []string
	reads       []time.Duration // from now
	writes      int
	failsWrites bool
	slowWrites  time.Duration
	reading     func() // called before each read
	closed      bool
}

func (c *timedConn) Read(p []byte) (int, error) {
	if c.reading != nil {
		c.reading()
	}
	if len(c.requests) == 0 || c.closed {
		return 0, io.EOF
	}
	n := copy(p, c.requests[0])
	c.requests = c.requests[1:]
	return n, nil
}

func (c *timedConn) Write(p []byte) (int, error) {
	if c.failsWrites {
		return 0, errors.New("the client is gone")
	}
	time.Sleep(c.slowWrites)
	return len(p), nil
}

func (c *timedConn) SetReadDeadline(t time.Time) error {
	c.reads = append(c.reads, time.Until(t))
	return nil
}
func (c *timedConn) SetWriteDeadline(time.Time) error { c.writes++; return nil }
func (c *timedConn) RemoteAddr() net.Addr             { return nil }
func (c *timedConn) Close() error                     { c.closed = true; return nil }

func gateOver(c net.Conn) *gateConn {
	return &gateConn{Conn: c, gate: &gate{
		headTimeout: time.Minute, writeTimeout: time.Hour, idleTimeout: 2 * time.Hour, shortcut: shortAt, ending: new(atomic.Bool),
		open: new(atomic.Int64), conns: map[*gateConn]struct{}{},
	}}
}

// TestShortcutTimes: after an answer the client has the idle timeout, whatever timeout was
// there before; where that was set lately it stays.
func TestShortcutTimes(t *testing.T) {
	short := servertest.Get("/short")
	buf := make([]byte, 64<<10)
	c := &timedConn{requests: []string{short, short, short[:9], short[9:], short + short, servertest.Get("/"), short}}
	g := gateOver(c)
	if n, err := g.Read(buf); err != nil || string(buf[:n]) != servertest.Get("/") {
		t.Fatalf("passed on: %q, %v", buf[:n], err)
	}
	// One for the first, none for the second, two for the one in pieces, none for the rest.
	if len(c.reads) != 3 || c.reads[0] < time.Hour || c.reads[1] > time.Hour || c.reads[2] < time.Hour || c.writes != 2 {
		t.Errorf("%v, and %d for writes", c.reads, c.writes)
	}
	c.reads = nil
	if n, err := g.Read(buf); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("%d, %v", n, err)
	}
	if len(c.reads) != 1 || c.reads[0] < time.Hour {
		t.Errorf("after one that was passed on: %v", c.reads)
	}
}

// TestShortcutToTheSlow: the time that a client takes to read an answer is none in which it
// was idle.
func TestShortcutToTheSlow(t *testing.T) {
	c := &timedConn{requests: []string{servertest.Get("/short"), servertest.Get("/short")}, slowWrites: 50 * time.Millisecond}
	g := gateOver(c)
	g.gate.idleTimeout = 20 * 16 * time.Millisecond
	g.timed = time.Now().Add(time.Hour) // as if the timeouts were set lately
	if _, err := g.Read(make([]byte, 64<<10)); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if len(c.reads) != 2 || c.writes != 0 {
		t.Errorf("%v, and %d for writes", c.reads, c.writes)
	}
}

// TestShortcutBeforeAPart: a connection on which another request has begun to come is not
// idle, so a drain gives it the time that a request has.
func TestShortcutBeforeAPart(t *testing.T) {
	part := servertest.Get("/")[:9]
	c := &timedConn{requests: []string{servertest.Get("/short") + part, servertest.Get("/")[9:] + servertest.Get("/short")}}
	g := gateOver(c)
	var phases []int32
	c.reading = func() { phases = append(phases, g.phase.Load()) }
	buf := make([]byte, 64<<10)
	if n, err := g.Read(buf); err != nil || string(buf[:n]) != servertest.Get("/") {
		t.Errorf("passed on: %q, %v", buf[:n], err)
	}
	if n, err := g.Read(buf); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("%d, %v", n, err)
	}
	if want := []int32{idle, arriving, idle}; !slices.Equal(phases, want) {
		t.Errorf("phases %v, want %v", phases, want)
	}
}

// TestShortcutToNobody: a client that takes no answer loses its connection, and what it
// has sent after the request is not served.
func TestShortcutToNobody(t *testing.T) {
	short, other := servertest.Get("/short"), servertest.Get("/")
	for _, requests := range [][]string{{short, other}, {short + other}, {short + short, other}, {short[:9], short[9:] + other}} {
		c := &timedConn{requests: requests, failsWrites: true}
		if n, err := gateOver(c).Read(make([]byte, 64<<10)); n != 0 || !errors.Is(err, io.EOF) || !c.closed {
			t.Errorf("%q: %d, %v, closed %v", requests, n, err, c.closed)
		}
	}
}

// TestShortcutMeetsDrain: whenever a drain begins, a connection whose answers take the
// shortcut ends without a reset.
func TestShortcutMeetsDrain(t *testing.T) {
	e := newShortEdge(Conns{IdleTimeout: time.Hour})
	addr, end := draining(t, e)
	var clients sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	for range 8 {
		c := servertest.Dial(t, addr)
		r := bufio.NewReader(c)
		servertest.Send(t, c, servertest.Get("/short"))
		servertest.Receive(t, r, "GET")
		clients.Go(func() {
			for ctx.Err() == nil {
				if _, err := io.WriteString(c, servertest.Get("/short")); err != nil {
					return // it has ended
				}
				res, err := http.ReadResponse(r, nil)
				switch {
				case errors.Is(err, syscall.ECONNRESET):
					t.Error("the connection was reset")
				case err == nil && !res.Close:
					_, _ = io.Copy(io.Discard, res.Body)
					continue
				}
				return
			}
		})
	}
	end()
	cancel()
	clients.Wait()
}
