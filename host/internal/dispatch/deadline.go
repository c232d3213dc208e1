package dispatch

import (
	"context"
	"sync"
	"time"
)

// deadline is the context of an invocation: its parent with a deadline. Unlike
// one of context.WithDeadline it has a timer only once somebody waits for it,
// which most invocations do not: they look at Err now and then.
type deadline struct {
	parent context.Context
	at     time.Time

	mu     sync.Mutex
	waited context.Context // the same with a timer, once Done was called
	cancel context.CancelFunc
	err    error // why it is done, once somebody has seen that without a timer
}

var _ context.Context = (*deadline)(nil)

// withDeadline returns parent with a deadline so far from now, or an earlier one
// of its own. End it.
func withDeadline(parent context.Context, after time.Duration) *deadline {
	at := time.Now().Add(after)
	if its, ok := parent.Deadline(); ok && its.Before(at) {
		at = its
	}
	return &deadline{parent: parent, at: at}
}

// end frees what the context holds. It is done from here on.
func (d *deadline) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
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
		if d.err != nil { // it is done already, or has ended
			d.cancel()
		}
	}
	return d.waited.Done()
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

// Value implements context.Context. Package context finds its own state by it:
// that of the context with the timer, so that contexts derived from this one
// need no goroutine.
func (d *deadline) Value(key any) any {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.waited != nil {
		return d.waited.Value(key)
	}
	return d.parent.Value(key)
}
