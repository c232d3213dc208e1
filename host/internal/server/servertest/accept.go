package servertest

import (
	"bytes"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
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

// AcceptError is err as package net returns it.
func AcceptError(err error) error {
	return &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", err)}
}

// FailWith returns a listener on a free port that fails first with errs, one after
// the other.
func FailWith(tb testing.TB, errs ...error) net.Listener {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	return &failingListener{Listener: ln, errs: errs}
}

// AcceptGoesOn wants a listener that is short of something for a moment to go on
// when the moment is over, and to say so in the log.
func AcceptGoesOn(t *testing.T, name string, serve func(*slog.Logger) Listener) {
	t.Helper()
	var log bytes.Buffer
	addr := ListenOn(t, serve(slog.New(slog.NewTextHandler(&log, nil))), FailWith(t,
		AcceptError(syscall.EMFILE), AcceptError(syscall.ENFILE), AcceptError(syscall.ECONNABORTED), AcceptError(syscall.ENOBUFS)))
	if got := RoundTrip(t, addr, Local("GET", "/livez", "")); got.StatusCode != 200 {
		t.Errorf("status %d", got.StatusCode)
	}
	if first, _, _ := strings.Cut(log.String(), "\n"); !strings.Contains(first, "listener="+name) || !strings.Contains(first, "too many open files") {
		t.Errorf("the log does not say what fails: %s", first)
	}
}
