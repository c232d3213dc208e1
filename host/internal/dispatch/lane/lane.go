// Package lane is where requests of a plugin that conflict take their turn. Package
// dispatch imports it.
package lane

import (
	"container/list"
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Lane is where requests of a plugin that conflict run one after the other, in the
// order they came, each on top of what the one before has sealed. A re-run takes it.
// So does the first run of a request of a hot route: one whose runs outside have
// often conflicted lately.
type Lane struct {
	warm atomic.Bool // it is closed, or routes has any: else nobody looks further

	mu     sync.Mutex
	taken  bool
	queue  list.List // of chan struct{}, on which the lane is handed over
	closed bool      // whoever has the lane has lost to others: their commits wait for it
	routes map[Route]*heat
}

// Route is what requests that behave alike have in common.
type Route struct{ Method, Pattern string }

// maxRoutes bounds how many are told apart: without patterns in the manifest the
// methods are the client's.
const maxRoutes = 256

// heat is how a route's runs outside the lane have fared.
type heat struct {
	share float64       // of late ones that conflicted
	until time.Time     // the route is hot until then
	next  time.Duration // for how long it is hot the next time
}

// A route is hot for a while once a quarter of its late runs conflicted, and for
// twice that while each time it cools the conflicts are back at once. It is
// forgotten when hardly any do.
const (
	hotShare  = 1.0 / 4
	coldShare = 1.0 / 64
	lateRuns  = 8 // the latest run weighs an eighth
	hotLeast  = 100 * time.Millisecond
	hotMost   = 4 * time.Second
)

// Hot reports whether requests of a route take the lane from their first run.
func (l *Lane) Hot(of Route, now time.Time) bool {
	if !l.warm.Load() {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.routes[of]
	return h != nil && now.Before(h.until)
}

// Ran notes how a run outside the lane has fared.
func (l *Lane) Ran(of Route, conflicted bool, now time.Time) {
	if !conflicted && !l.warm.Load() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.routes[of]
	switch {
	case h != nil && conflicted:
		h.conflicted(now)
	case h != nil:
		if h.share -= h.share / lateRuns; h.share < coldShare {
			delete(l.routes, of)
			l.heed()
		}
	case conflicted && len(l.routes) < maxRoutes:
		if l.routes == nil {
			l.routes = make(map[Route]*heat)
		}
		l.routes[Route{strings.Clone(of.Method), strings.Clone(of.Pattern)}] = &heat{share: 1.0 / lateRuns, next: hotLeast}
		l.heed()
	}
}

// heed keeps warm true to what it says. The caller holds mu.
func (l *Lane) heed() { l.warm.Store(l.closed || len(l.routes) > 0) }

func (h *heat) conflicted(now time.Time) {
	if h.share += (1 - h.share) / lateRuns; h.share < hotShare || now.Before(h.until) {
		return
	}
	h.share, h.until = hotShare, now.Add(h.next)
	h.next = min(2*h.next, hotMost)
}

// Take waits for the lane until the end of ctx. Pass it on.
func (l *Lane) Take(ctx context.Context) error {
	l.mu.Lock()
	if !l.taken {
		l.taken = true
		l.mu.Unlock()
		return nil
	}
	given := make(chan struct{}, 1)
	place := l.queue.PushBack(given)
	l.mu.Unlock()
	select {
	case <-given:
		return nil
	case <-ctx.Done():
		l.giveUp(place, given)
		return ctx.Err()
	}
}

// giveUp leaves the queue, and passes the lane on that came meanwhile.
func (l *Lane) giveUp(place *list.Element, given chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-given:
		l.hand()
	default:
		l.queue.Remove(place)
	}
}

// Pass hands the lane to whoever has waited for it longest.
func (l *Lane) Pass() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hand()
}

// hand is pass. The caller holds mu.
func (l *Lane) hand() {
	if l.closed {
		l.closed = false
		l.heed()
	}
	first := l.queue.Front()
	if first == nil {
		l.taken = false
		return
	}
	l.queue.Remove(first)
	first.Value.(chan struct{}) <- struct{}{} // it has room
}

// Close notes that whoever has the lane has lost to a commit from outside. Until
// it is passed on, all commits of the plugin need it, so that this does not happen
// twice.
func (l *Lane) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.heed()
}

// IsClosed reports whether a commit needs the lane.
func (l *Lane) IsClosed() bool {
	if !l.warm.Load() {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}
