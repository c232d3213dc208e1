// Package accept takes connections from a listener, also when that fails for a
// while. Only server/wire imports it.
package accept

import (
	"errors"
	"net"
	"sync"
	"syscall"
	"time"
)

// Listener waits out what fails now and works again later, such as the lack of a
// file descriptor: the connections that are open end some time, and theirs is then
// free. Make it with On.
type Listener struct {
	net.Listener
	failing func(error)
	retry   retry
	closed  chan struct{}
	closing sync.Once
}

// On returns a Listener on ln, which it closes. failing is told why it waits, at
// most once a second.
func On(ln net.Listener, failing func(error)) *Listener {
	return &Listener{Listener: ln, failing: failing, closed: make(chan struct{})}
}

// Accept returns the next connection. An error is for good. One goroutine calls it.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err == nil || !passes(err) {
			l.retry.delay = 0
			return c, err
		}
		delay, tell := l.retry.failed(time.Now())
		if tell {
			l.failing(err)
		}
		select {
		case <-time.After(delay):
		case <-l.closed:
			return nil, net.ErrClosed
		}
	}
}

// Close closes the listener and ends Accept.
func (l *Listener) Close() error {
	l.closing.Do(func() { close(l.closed) })
	return l.Listener.Close()
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
