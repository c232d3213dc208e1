package wire

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"syscall"
	"time"
)

// accept returns the next connection of the listener. What fails now and works
// again later, such as the lack of a file descriptor, is waited out: the
// connections that are open end some time, and theirs is then free. An error
// is for good.
func (g *gate) accept() (net.Conn, error) {
	for {
		c, err := g.Listener.Accept()
		if err == nil || !passes(err) {
			g.retry.delay = 0
			return c, err
		}
		delay, tell := g.retry.failed(time.Now())
		if tell {
			g.failing(err)
		}
		select {
		case <-time.After(delay):
		case <-g.closed:
			return nil, net.ErrClosed
		}
	}
}

// Close closes the listener and ends Accept.
func (g *gate) Close() error {
	g.closing.Do(func() { close(g.closed) })
	return g.Listener.Close()
}

// passes reports whether a listener that failed with err may work again.
func passes(err error) bool {
	if t, ok := errors.AsType[interface {
		error
		Temporary() bool
	}](err); ok && t.Temporary() { // EMFILE, ENFILE
		return true
	}
	return errors.Is(err, syscall.ECONNABORTED) || errors.Is(err, syscall.ENOBUFS) || errors.Is(err, syscall.ENOMEM)
}

// Between one attempt and the next, as in net/http; and between two records.
const (
	firstRetry = 5 * time.Millisecond
	lastRetry  = time.Second
	tellEvery  = time.Second
)

// retry paces what fails again and again. It is used by one goroutine.
type retry struct {
	delay time.Duration
	told  time.Time
}

// failed returns how long to wait before the next attempt, and whether this
// failure is to be told.
func (r *retry) failed(now time.Time) (delay time.Duration, tell bool) {
	r.delay = min(max(2*r.delay, firstRetry), lastRetry)
	if tell = now.Sub(r.told) >= tellEvery; tell {
		r.told = now
	}
	return r.delay, tell
}

// logAccept returns what logs that connections cannot be accepted.
func logAccept(log *slog.Logger, name string) func(error) {
	return func(err error) {
		log.LogAttrs(context.Background(), slog.LevelError, "connections cannot be accepted; trying again",
			slog.String("listener", name), slog.Any("error", err))
	}
}
