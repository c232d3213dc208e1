package server

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// failingListener fails with errs, one after the other, before it listens.
type failingListener struct {
	net.Listener
	errs []error
}

func (l *failingListener) Accept() (net.Conn, error) {
	if len(l.errs) == 0 {
		return l.Listener.Accept()
	}
	err := l.errs[0]
	l.errs = l.errs[1:]
	return nil, err
}

// acceptError is err as package net returns it.
func acceptError(err error) error {
	return &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", err)}
}

func failWith(tb testing.TB, errs ...error) *failingListener {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	return &failingListener{Listener: ln, errs: errs}
}

// TestAcceptGoesOn: a listener that is short of something for a moment goes on
// when the moment is over, and says so in the log.
func TestAcceptGoesOn(t *testing.T) {
	for name, serve := range map[string]func(*slog.Logger) listener{
		"public": func(log *slog.Logger) listener {
			return NewPublic(PublicConfig{Routes: mounted{&guest{handle: echo}}, Log: log})
		},
		"admin": func(log *slog.Logger) listener {
			return NewAdmin(AdminConfig{Deployer: &recorder{}, Token: theToken{}, Log: log})
		},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			addr := listenOn(t, serve(slog.New(slog.NewTextHandler(&log, nil))), failWith(t,
				acceptError(syscall.EMFILE), acceptError(syscall.ENFILE), acceptError(syscall.ECONNABORTED), acceptError(syscall.ENOBUFS)))
			if got := roundTrip(t, addr, local("GET", "/livez", "")); got.StatusCode != 200 {
				t.Errorf("status %d", got.StatusCode)
			}
			if first, _, _ := strings.Cut(log.String(), "\n"); !strings.Contains(first, "listener="+name) || !strings.Contains(first, "too many open files") {
				t.Errorf("the log does not say what fails: %s", first)
			}
		})
	}
}

func TestAcceptEndsForGood(t *testing.T) {
	for name, err := range map[string]error{
		"invalid": acceptError(syscall.EINVAL),
		"other":   errors.New("gone"),
	} {
		t.Run(name, func(t *testing.T) {
			p := NewPublic(PublicConfig{Routes: mounted{}})
			ln := failWith(t, err)
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
	return nil, acceptError(syscall.EMFILE)
}

// TestCloseEndsTheWait: who waits for a descriptor does not keep Close.
func TestCloseEndsTheWait(t *testing.T) {
	ln := &alwaysFull{Listener: failWith(t), asked: make(chan struct{}, 1)}
	listenOn(t, NewPublic(PublicConfig{Routes: mounted{}}), ln) // closed when the test ends
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
		if !passes(acceptError(err)) {
			t.Errorf("%v ends the listener", err)
		}
	}
	for _, err := range []error{net.ErrClosed, io.EOF, acceptError(syscall.EBADF)} {
		if passes(err) {
			t.Errorf("%v is tried again", err)
		}
	}
}
