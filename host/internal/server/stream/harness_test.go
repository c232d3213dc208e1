package stream

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is far more than anything here takes.
const patience = time.Minute

// recorder is a Listener that remembers.
type recorder struct {
	mu       sync.Mutex
	messages []string // with t or b in front
	ends     int
	code     int
	reason   string
	left     bool
	closed   chan struct{}
	hold     chan struct{} // if not nil, Message waits for it
}

func (r *recorder) Message(text bool, data []byte) {
	kind := "b"
	if text {
		kind = "t"
	}
	r.mu.Lock()
	r.messages = append(r.messages, kind+string(data))
	r.mu.Unlock()
	if r.hold != nil {
		<-r.hold
	}
}

func (r *recorder) Closed(code int, reason string, left bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ends++
	r.code, r.reason, r.left = code, reason, left
	if r.ends == 1 {
		close(r.closed)
	}
}

func (r *recorder) wait(t *testing.T) {
	t.Helper()
	select {
	case <-r.closed:
	case <-time.After(patience):
		t.Fatal("Closed was not called")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ends != 1 {
		t.Errorf("Closed was called %d times", r.ends)
	}
}

func newStreams(t *testing.T, cfg Config) *Streams {
	t.Helper()
	s := New(cfg)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = s.Close(ctx)
	})
	return s
}

// pair is a connection and its other end.
func pair(t *testing.T) (server, client net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	client, err = net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	if server, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	_ = client.SetDeadline(time.Now().Add(patience))
	return server, client
}

type session struct {
	one    *Stream
	client net.Conn
	in     *bufio.Reader
	got    *recorder
}

const maxMessage = 64 << 10

func openOne(t *testing.T, s *Streams, o Opening) *session {
	t.Helper()
	place, err := s.Reserve("p", 1<<20, netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	server, client := pair(t)
	got := &recorder{closed: make(chan struct{})}
	o.Conn, o.MaxMessage = server, maxMessage
	if o.Listener == nil {
		o.Listener = got
	} else {
		got = o.Listener.(*recorder)
	}
	return &session{one: place.Open(o), client: client, in: bufio.NewReader(client), got: got}
}

func (s *session) send(t *testing.T, raw []byte) {
	t.Helper()
	if _, err := s.client.Write(raw); err != nil {
		t.Fatal(err)
	}
}

// next reads a frame of the server.
func (s *session) next(t *testing.T) ws.Frame {
	t.Helper()
	f, err := readFrame(s.in)
	if err != nil {
		t.Fatalf("reading a frame: %v", err)
	}
	if f.Header.Masked {
		t.Error("the server masks")
	}
	return f
}

// masked is a frame of a client.
func masked(op ws.OpCode, fin bool, payload string) []byte {
	f := ws.MaskFrame(ws.NewFrame(op, fin, []byte(payload)))
	return ws.MustCompileFrame(f)
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func readFrame(r io.Reader) (f ws.Frame, err error) {
	if f.Header, err = ws.ReadHeader(r); err != nil {
		return f, err
	}
	f.Payload = make([]byte, f.Header.Length)
	_, err = io.ReadFull(r, f.Payload)
	return f, err
}
