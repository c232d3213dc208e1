package runq

import (
	"context"
	"errors"
	"runtime"
	"time"
)

// ErrHopeless is the error of a turn that would come after its deadline.
var ErrHopeless = errors.New("its turn would come after its deadline")

// Turn is one guest's use of the queue. The zero Turn, and nil, need no place: all
// methods do nothing. It belongs to one goroutine at a time.
type Turn struct {
	line *Line // nil = it needs no place

	holds   bool
	since   time.Duration // when its slice began
	charged time.Duration // until when its line is charged
	ran     time.Duration // since Take
	waited  time.Duration // since Waited
}

// Begin makes t a turn of a line, nil = one that needs no place.
func (t *Turn) Begin(l *Line) { *t = Turn{line: l} }

// Key is the key of a context's *Turn.
type Key struct{}

// Of returns the turn of a context, nil if it has none.
func Of(ctx context.Context) *Turn {
	t, _ := ctx.Value(Key{}).(*Turn)
	return t
}

// Waited returns how long the turn has waited for places since it was asked last.
func (t *Turn) Waited() time.Duration {
	waited := t.waited
	t.waited = 0
	return waited
}

// Take takes a place for a guest that has not run yet, or waits for one until the
// end of ctx, whose error it returns, or ErrHopeless at once.
func (t *Turn) Take(ctx context.Context) error { return t.take(ctx, false) }

func (t *Turn) take(ctx context.Context, back bool) error {
	if t == nil || t.line == nil || t.holds {
		return nil
	}
	w, err := t.ask(ctx, back)
	if w == nil {
		return err
	}
	return t.wait(ctx, w)
}

// ask takes a place, or gets into the line.
func (t *Turn) ask(ctx context.Context, back bool) (*waiter, error) {
	l, q := t.line, t.line.queue
	now := q.clock()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.tick(now)
	switch {
	case q.free > 0: // then nobody waits
		q.free--
		q.join(l)
		t.has(now)
		return nil, nil
	case !back && t.hopeless(ctx):
		return nil, ErrHopeless
	}
	q.join(l)
	return t.push(back, now), nil
}

// has notes that the turn has a place since now.
func (t *Turn) has(now time.Duration) { t.holds, t.since, t.charged = true, now, now }

// hopeless reports whether the turn would come after the deadline. The caller
// holds mu.
func (t *Turn) hopeless(ctx context.Context) bool {
	until, ok := ctx.Deadline()
	ahead := int64(t.line.waiting() + 1)
	return ok && int64(t.line.needs)*ahead/int64(t.line.queue.places) > int64(time.Until(until))
}

// push gets into the line. The caller holds mu.
func (t *Turn) push(back bool, now time.Duration) *waiter {
	q := t.line.queue
	w := q.waiters.Get().(*waiter)
	w.line, w.back, w.asked = t.line, back, now
	q.push(w)
	return w
}

// wait waits for w to get a place.
func (t *Turn) wait(ctx context.Context, w *waiter) error {
	q, asked := t.line.queue, w.asked
	err := w.wait(ctx)
	if err != nil {
		t.giveUp(w)
		t.waited += q.clock() - asked
	} else {
		t.has(w.since)
		t.waited += w.since - asked
	}
	w.line = nil
	q.waiters.Put(w)
	return err
}

// giveUp leaves the line, and passes on the place that came meanwhile.
func (t *Turn) giveUp(w *waiter) {
	l, q := t.line, t.line.queue
	now := q.clock()
	q.mu.Lock()
	q.tick(now)
	q.leave(l)
	if w.in != nil {
		q.remove(w)
		q.mu.Unlock()
		return
	}
	next := q.pass(now)
	q.mu.Unlock()
	<-w.given // whoever gave it is about to say so
	next.wake()
}

// End gives the place back of a guest that has run to its end. Ending twice is
// fine.
func (t *Turn) End() { t.give(true) }

// give gives the place back, if the turn has one: its guest is done, or waits.
func (t *Turn) give(done bool) {
	if t == nil || !t.holds {
		return
	}
	l, q := t.line, t.line.queue
	now := q.clock()
	q.mu.Lock()
	q.tick(now)
	t.charge(now)
	if done {
		l.measure(t.ran)
		t.ran = 0
	}
	q.leave(l)
	next := q.pass(now)
	q.mu.Unlock()
	t.holds = false
	next.wake()
	if done && next != nil {
		runtime.Gosched() // the next begins on this thread at once; another may go on here
	}
}

// charge counts what the guest has run until now. The caller holds mu.
func (t *Turn) charge(now time.Duration) {
	ran := max(now-t.charged, 0)
	t.charged += ran
	t.ran += ran
	t.line.queue.charge(t.line, ran)
}

// Wait does what may take long and needs no processor, without the place, which it
// takes again before guests of its plugin that have not run yet.
// The error is that of the wait for the place.
func (t *Turn) Wait(ctx context.Context, do func()) error {
	if t == nil || !t.holds {
		do()
		return nil
	}
	t.give(false)
	do()
	return t.take(ctx, true)
}

// Check parks the guest, if its slice is over and another plugin's turn has come,
// until it has a place again. The error is that of the wait.
func (t *Turn) Check(ctx context.Context) error {
	if t == nil || !t.holds || t.line.queue.crowd.Load() == 0 {
		return nil
	}
	if w := t.park(); w != nil {
		return t.wait(ctx, w)
	}
	return nil
}

// park makes room for another plugin's guest and gets into the line, if its turn
// has come.
func (t *Turn) park() *waiter {
	l, q := t.line, t.line.queue
	now := q.clock()
	if now-t.since < slice {
		return nil
	}
	q.mu.Lock()
	q.tick(now)
	t.charge(now)
	if len(q.lines) == 0 || q.lines[0] == l || q.lines[0].ran > l.ran {
		q.mu.Unlock()
		return nil
	}
	t.holds = false
	next := q.pass(now)
	w := t.push(true, now)
	q.mu.Unlock()
	next.wake()
	return w
}
