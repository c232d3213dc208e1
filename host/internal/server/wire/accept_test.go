package wire

import (
	"context"
	"errors"
	"net"
	"syscall"
	"testing"

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
