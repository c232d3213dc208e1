// Package runq is the run queue of guests: it lets about as many of them compute
// at a time as there are processors, so that the rest of the host has some too.
// Places are shared fairly among plugins by the time that their guests have run,
// over the weight of each, and are first come, first served within one. Packages dispatch, engine and
// capability import it.
package runq

import (
	"container/heap"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// slice is how long a guest runs before it makes room for another plugin's.
	slice = 2 * time.Millisecond
	// spread bounds how far a plugin may be ahead of the others or behind them, for
	// what it ran while nobody waited or did not run while it could have.
	spread = 25 * slice
)

// Queue is the run queue. Safe for concurrent use.
type Queue struct {
	clock   func() time.Duration // monotonic
	places  int
	waiters sync.Pool
	crowd   atomic.Int32 // lines in which somebody waits

	mu     sync.Mutex
	free   int           // places; only while nobody waits
	lines  lineHeap      // in which somebody waits
	active int           // weights of the lines with somebody who has a place or waits for one
	fair   time.Duration // what a line of weight 1 has run that always was active and had its share
	at     time.Duration // when fair was computed
}

// New returns a queue with so many places.
func New(places int) *Queue {
	epoch := time.Now()
	return newQueue(places, func() time.Duration { return time.Since(epoch) })
}

func newQueue(places int, clock func() time.Duration) *Queue {
	q := &Queue{clock: clock, places: places, free: places}
	q.waiters.New = func() any { return newWaiter() }
	return q
}

// Line is what one plugin has of a queue. Safe for concurrent use.
type Line struct {
	queue *Queue

	// The queue's lock guards the rest.
	ran    time.Duration // by its guests, over its weight; kept near the queue's fair
	weight int           // shares that it has where another has 1
	dear   int           // how many times what it runs counts
	active int           // turns that have a place or wait for one
	back   list          // those who have run already
	fresh  list          // and the others
	place  int           // in the queue's heap
	needs  time.Duration // processor time of one turn, rather too low than too high
}

// NewLine returns a line of a plugin that has not run yet. That of a nil Queue is
// nil: its guests need no place.
func (q *Queue) NewLine() *Line {
	if q == nil {
		return nil
	}
	return &Line{queue: q, weight: 1, dear: 1}
}

// low is how many times what a low line runs counts.
const low = 4

// Low returns another line of the same queue, for what its plugin has to do and nobody
// waits for: where places are scarce it has a quarter of a plugin's share. Low of nil is
// nil.
func (l *Line) Low() *Line {
	if l == nil {
		return nil
	}
	return &Line{queue: l.queue, weight: 1, dear: low}
}

// SetWeight gives the line so many shares of the places, at least 1, where another has
// one. Turns go on.
func (l *Line) SetWeight(weight int) {
	if l == nil {
		return
	}
	q := l.queue
	now := q.clock()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.tick(now)
	if l.active > 0 {
		q.active += weight - l.weight
	}
	l.weight = weight
}

func (l *Line) waiting() int { return l.back.size + l.fresh.size }

// tick brings the fair time up to now. The caller holds mu.
func (q *Queue) tick(now time.Duration) {
	if q.active > 0 && now > q.at {
		q.fair += (now - q.at) * time.Duration(q.places-q.free) / time.Duration(q.active)
	}
	q.at = max(q.at, now)
}

// join counts a turn that wants a place. A line that comes back has no credit but a
// slice. The caller holds mu.
func (q *Queue) join(l *Line) {
	credit := spread
	if l.active++; l.active == 1 {
		q.active += l.weight
		credit = slice
	}
	if l.waiting() == 0 { // else it has its place in the heap
		l.ran = min(max(l.ran, q.fair-credit), q.fair+spread)
	}
}

// leave ends what join began. The caller holds mu.
func (q *Queue) leave(l *Line) {
	if l.active--; l.active == 0 {
		q.active -= l.weight
	}
}

// charge counts what a guest of the line has run. The caller holds mu.
func (q *Queue) charge(l *Line, ran time.Duration) {
	l.ran += ran * time.Duration(l.dear) / time.Duration(l.weight)
	if l.waiting() > 0 {
		heap.Fix(&q.lines, l.place)
	}
}

// push puts a waiter at the end of its part of the line. The caller holds mu.
func (q *Queue) push(w *waiter) {
	l := w.line
	first := l.waiting() == 0
	w.list().push(w)
	if first {
		heap.Push(&q.lines, l)
		q.crowd.Add(1)
	}
}

// measure follows a shorter time by half, and a longer one by a sixteenth: nobody is
// sent away for a few that were slow. The caller holds mu.
func (l *Line) measure(ran time.Duration) {
	weight := time.Duration(16)
	if ran < l.needs {
		weight = 2
	}
	l.needs += (ran - l.needs) / weight
}

// remove takes a waiter out of its line. The caller holds mu.
func (q *Queue) remove(w *waiter) {
	l := w.line
	w.list().remove(w)
	if l.waiting() == 0 {
		heap.Remove(&q.lines, l.place)
		q.crowd.Add(-1)
	}
}

// pass gives a place to whom it is due, and returns him for the caller to wake
// once it has let go of mu; nil = nobody waits.
func (q *Queue) pass(now time.Duration) *waiter {
	if len(q.lines) == 0 {
		q.free++
		return nil
	}
	l := q.lines[0]
	w := l.back.first
	if w == nil {
		w = l.fresh.first
	}
	q.remove(w)
	w.since = now
	return w
}

// lineHeap is a heap of lines, that first which has run least.
type lineHeap []*Line

func (h lineHeap) Len() int           { return len(h) }
func (h lineHeap) Less(i, j int) bool { return h[i].ran < h[j].ran }

func (h lineHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

func (h *lineHeap) Push(l any) {
	l.(*Line).place = len(*h)
	*h = append(*h, l.(*Line))
}

func (h *lineHeap) Pop() any {
	last := len(*h) - 1
	l := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return l
}
