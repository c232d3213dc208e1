package dispatch

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/runq"
)

// bounds are the two contexts of an invocation. They have the same deadline and
// the same turn in the run queue.
type bounds struct {
	handling deadline // of the handler: a client that leaves does not end it
	waiting  deadline // of everything before: that ends with its client too
	turn     runq.Turn
}

// begin makes b bounds of parent with a deadline so far from now, or an earlier one
// of its own, for client, which may be nil, and with a turn in line. End it.
func (b *bounds) begin(parent context.Context, after time.Duration, client invoke.Client, line *runq.Line) {
	at := time.Now().Add(after)
	if its, ok := parent.Deadline(); ok && its.Before(at) {
		at = its
	}
	b.turn.Begin(line)
	b.handling.parent, b.handling.at, b.handling.turn = parent, at, &b.turn
	b.waiting.parent, b.waiting.at, b.waiting.turn, b.waiting.client = parent, at, &b.turn, client
}

func (b *bounds) end() {
	b.waiting.end()
	b.handling.end()
}

// gaveUp returns err, with which a wait has ended, or that its client has left.
func (b *bounds) gaveUp(err error) error {
	if err != nil && b.waiting.left.Load() {
		return fault.Wrap(fault.Left, "dispatch", "the client left while its request waited; nothing was done", err)
	}
	return err
}

// deadline is the context of an invocation: its parent with a deadline. Unlike
// one of context.WithDeadline it has a timer only once somebody waits for it,
// which most invocations do not: they look at Err now and then.
type deadline struct {
	parent context.Context
	at     time.Time
	turn   *runq.Turn
	client invoke.Client // ends it by leaving, once somebody waits; nil = nobody
	left   atomic.Bool   // it has
	killed atomic.Bool   // an operator has ended it

	mu     sync.Mutex
	waited context.Context // the same with a timer, once Done was called
	cancel context.CancelFunc
	stop   func() // ends the watch for client
	err    error  // why it is done, once somebody has seen that without a timer
}

var _ context.Context = (*deadline)(nil)

// end frees what the context holds. It is done from here on.
func (d *deadline) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stop != nil {
		d.stop()
		d.stop = nil
	}
	if d.cancel != nil {
		d.cancel()
	} else if d.look() == nil {
		d.err = context.Canceled
	}
}

// Deadline implements context.Context.
func (d *deadline) Deadline() (time.Time, bool) { return d.at, true }

// Done implements context.Context.
func (d *deadline) Done() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.waited == nil {
		d.waited, d.cancel = context.WithDeadline(d.parent, d.at)
		switch {
		case d.err != nil: // it is done already, or has ended
			d.cancel()
		case d.client != nil:
			d.stop = d.client.Watch(d.leave)
		}
	}
	return d.waited.Done()
}

// leave ends the context because its client has left. It takes no lock: end holds
// mu while it stops the watch.
func (d *deadline) leave() {
	d.left.Store(true)
	d.cancel()
}

// kill ends the context because an operator says so.
func (d *deadline) kill() {
	d.killed.Store(true)
	d.end()
}

// Err implements context.Context.
func (d *deadline) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.look()
}

// look is Err. Without a timer it looks at the clock. The caller holds mu.
func (d *deadline) look() error {
	switch {
	case d.err != nil:
	case d.waited != nil:
		return d.waited.Err()
	case d.parent.Err() != nil:
		d.err = d.parent.Err()
	case !time.Now().Before(d.at):
		d.err = context.DeadlineExceeded
	}
	return d.err
}

// Value implements context.Context. It has the turn, and package context finds its own state by it:
// that of the context with the timer, so that contexts derived from this one
// need no goroutine.
func (d *deadline) Value(key any) any {
	if _, ok := key.(runq.Key); ok {
		return d.turn
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.waited != nil {
		return d.waited.Value(key)
	}
	return d.parent.Value(key)
}
