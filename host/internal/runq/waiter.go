package runq

import (
	"context"
	"time"
)

// waiter is a turn that waits for a place. They are reused.
type waiter struct {
	line  *Line
	back  bool          // it has run already
	asked time.Duration // when it got into the line
	since time.Duration // when it was given a place
	given chan struct{} // has room for one
	timer *time.Timer

	in         *list // nil = none
	prev, next *waiter
}

func newWaiter() *waiter {
	w := &waiter{given: make(chan struct{}, 1), timer: time.NewTimer(time.Hour)}
	w.timer.Stop()
	return w
}

func (w *waiter) list() *list {
	if w.back {
		return &w.line.back
	}
	return &w.line.fresh
}

// wake tells a waiter that it has a place; nil = there is none to tell.
func (w *waiter) wake() {
	if w != nil {
		w.given <- struct{}{}
	}
}

// brief is how long a waiter waits before it has ctx tell of its end: that costs
// as much as a small guest, and most waits are over before.
const brief = 10 * time.Millisecond

// wait waits until the waiter is given a place or ctx ends, whose error it returns.
func (w *waiter) wait(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	pause := brief
	if until, ok := ctx.Deadline(); ok {
		pause = min(pause, time.Until(until))
	}
	w.timer.Reset(pause)
	defer w.timer.Stop()
	select {
	case <-w.given:
		return nil
	case <-w.timer.C:
	}
	select {
	case <-w.given:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// list is a list of waiters, the first of which came first.
type list struct {
	first, last *waiter
	size        int
}

func (l *list) push(w *waiter) {
	w.in, w.prev, w.next = l, l.last, nil
	if l.last == nil {
		l.first = w
	} else {
		l.last.next = w
	}
	l.last = w
	l.size++
}

func (l *list) remove(w *waiter) {
	if w.prev == nil {
		l.first = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		l.last = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.in, w.prev, w.next = nil, nil, nil
	l.size--
}
