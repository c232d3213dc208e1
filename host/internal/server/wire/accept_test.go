package wire

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
)

func TestAcceptEndsForGood(t *testing.T) {
	for name, err := range map[string]error{
		"invalid": servertest.AcceptError(syscall.EINVAL),
		"other":   errors.New("gone"),
	} {
		t.Run(name, func(t *testing.T) {
			p := newTestEdge(Conns{})
			ln := servertest.FailWith(t, err)
			defer func() { _ = ln.Close() }()
			if err := p.Serve(ln); fault.CodeOf(err) != fault.Unavailable {
				t.Errorf("serve: %v, want an Unavailable fault", err)
			}
			if err := p.Close(context.Background()); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
}

// alwaysFull never has a file descriptor, not even to say that it is closed.
type alwaysFull struct {
	net.Listener
	asked chan struct{}
}

func (l *alwaysFull) Accept() (net.Conn, error) {
	select {
	case l.asked <- struct{}{}:
	default:
	}
	return nil, servertest.AcceptError(syscall.EMFILE)
}

// TestCloseEndsTheWait: who waits for a descriptor does not keep Close.
func TestCloseEndsTheWait(t *testing.T) {
	ln := &alwaysFull{Listener: servertest.FailWith(t), asked: make(chan struct{}, 1)}
	servertest.ListenOn(t, newTestEdge(Conns{}), ln) // closed when the test ends
	<-ln.asked
}

func TestRetryPace(t *testing.T) {
	var r retry
	now := time.Unix(1_000_000, 0)
	var slept time.Duration
	told := 0
	for i, ms := range []int{5, 10, 20, 40, 80, 160, 320, 640, 1000, 1000, 1000} {
		delay, tell := r.failed(now)
		if want := time.Duration(ms) * time.Millisecond; delay != want {
			t.Errorf("delay %d is %v, want %v", i, delay, want)
		}
		if tell {
			told++
		}
		slept += delay
		now = now.Add(delay)
	}
	if want := 4; told != want { // at 0 s, 1.275 s, 2.275 s, 3.275 s
		t.Errorf("told %d times in %v, want %d", told, slept, want)
	}
	r.delay = 0
	if delay, tell := r.failed(now.Add(-time.Millisecond)); delay != firstRetry || tell {
		t.Errorf("after a success: delay %v, told %v", delay, tell)
	}
}

// TestAcceptPasses has its denied twin in TestAcceptEndsForGood.
func TestAcceptPasses(t *testing.T) {
	for _, err := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ECONNABORTED, syscall.ENOBUFS, syscall.ENOMEM} {
		if !passes(servertest.AcceptError(err)) {
			t.Errorf("%v ends the listener", err)
		}
	}
	for _, err := range []error{net.ErrClosed, io.EOF, servertest.AcceptError(syscall.EBADF)} {
		if passes(err) {
			t.Errorf("%v is tried again", err)
		}
	}
}
