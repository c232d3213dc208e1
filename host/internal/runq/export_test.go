package runq

import (
	"context"
	"time"
)

// Of the queue's own.
const (
	Slice  = slice
	Spread = spread
)

// NewQueue is New with a clock of the test's.
func NewQueue(places int, clock func() time.Duration) *Queue { return newQueue(places, clock) }

// Waiting returns how many turns wait.
func (q *Queue) Waiting() (n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, l := range q.lines {
		n += l.waiting()
	}
	return n
}

// Idle reports whether the queue is as a new one: every place is free, and it
// counts nobody.
func (q *Queue) Idle() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.free == q.places && q.active == 0 && len(q.lines) == 0 && q.crowd.Load() == 0
}

// Seat is a turn in steps that do not wait.
type Seat struct {
	Turn
	waiter *waiter
}

// Ask is Take, or with back the end of Wait. Afterwards the seat has a place or is
// in the line.
func (s *Seat) Ask(ctx context.Context, back bool) (err error) {
	s.waiter, err = s.ask(ctx, back)
	return err
}

// Leave is the start of Wait.
func (s *Seat) Leave() { s.give(false) }

// Park is Check.
func (s *Seat) Park() { s.waiter = s.park() }

// Has reports whether the seat has a place by now.
func (s *Seat) Has() bool {
	if s.waiter != nil && len(s.waiter.given) > 0 {
		w := s.waiter
		s.waiter = nil
		if err := s.wait(context.Background(), w); err != nil {
			panic(err)
		}
	}
	return s.holds
}
