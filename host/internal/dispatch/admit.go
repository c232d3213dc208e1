package dispatch

import (
	"container/list"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
)

// slots let a bounded number of a plugin's invocations run, and a bounded number
// wait, in the order they came, whichever deployment they are for.
type slots struct {
	plugin string

	mu      sync.Mutex
	most    int           // that may run
	running int           // more than most for a while after most has sunk
	queue   list.List     // of chan struct{}, on which a slot is handed over
	held    time.Duration // an invocation keeps its slot, rather too low than too high
	first   *entry        // of those that run or wait
}

// enter takes a slot, for which it waits at most until the invocation's own
// deadline, the end of ctx. Whoever would wait in vain is refused at once: it
// may try elsewhere, and the queue holds only what can still be served.
func (s *slots) enter(ctx context.Context, e *entry) (waited bool, err error) {
	s.mu.Lock()
	s.link(e)
	if s.running < s.most { // then nobody waits
		s.running++
		s.mu.Unlock()
		return false, nil
	}
	ahead := s.queue.Len()
	if why := s.hopeless(ctx, ahead); why != "" {
		defer s.mu.Unlock()
		s.unlink(e)
		return false, s.full(why)
	}
	turn := make(chan struct{}, 1)
	place := s.queue.PushBack(turn)
	s.mu.Unlock()
	select {
	case <-turn:
		return true, nil
	case <-ctx.Done():
		return true, s.giveUp(place, turn, e)
	}
}

// hopeless says why nobody else can wait, "" = it can. The caller holds mu.
func (s *slots) hopeless(ctx context.Context, ahead int) string {
	if ahead >= limit.Queue*s.most {
		return fmt.Sprintf("and %d more wait", ahead)
	}
	if deadline, ok := ctx.Deadline(); ok && s.wait(ahead) > time.Until(deadline) {
		return "and its turn would come after its deadline"
	}
	return ""
}

// wait is how long so many waiting ahead of one take to get their slots, and it
// its own, at least. The caller holds mu.
func (s *slots) wait(ahead int) time.Duration {
	return s.held * time.Duration(ahead+1) / time.Duration(s.most)
}

// giveUp leaves the queue, and passes on the slot that came meanwhile.
func (s *slots) giveUp(place *list.Element, turn chan struct{}, e *entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unlink(e)
	select {
	case <-turn:
		s.running--
		s.admit()
	default:
		s.queue.Remove(place)
	}
	return s.full("and none of them ended in time")
}

// leave gives a slot back that was taken at start. Only where others wait does
// it matter, and is it measured, how long it was kept.
func (s *slots) leave(start time.Time, clock func() time.Time, e *entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unlink(e)
	if s.queue.Len() > 0 {
		s.measure(clock().Sub(start))
	}
	s.running--
	s.admit()
}

// admit hands free slots to those who wait first. The caller holds mu.
func (s *slots) admit() {
	for first := s.queue.Front(); first != nil && s.running < s.most; first = s.queue.Front() {
		s.queue.Remove(first)
		s.running++
		first.Value.(chan struct{}) <- struct{}{} // it has room
	}
}

// resize changes how many may run. Those that run count on.
func (s *slots) resize(most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.most = most
	s.admit()
}

// measure follows a shorter time by half, and a longer one by a sixteenth:
// nobody is sent away for a few that were slow. The caller holds mu.
func (s *slots) measure(held time.Duration) {
	weight := time.Duration(16)
	if held < s.held {
		weight = 2
	}
	s.held += (held - s.held) / weight
}

// full is the refusal. The caller holds mu.
func (s *slots) full(why string) error {
	return fault.New(fault.Unavailable, "dispatch", fmt.Sprintf(
		"plugin %q is at its limit of %d concurrent requests (limits.concurrency), %s", s.plugin, s.most, why))
}

func errNoPlace(plugin string, err error) error {
	return fault.Wrap(fault.Unavailable, "dispatch", fmt.Sprintf(
		"plugin %q has its share of the processors, and no more became free in time", plugin), err)
}
