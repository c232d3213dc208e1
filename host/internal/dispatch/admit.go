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

// gate lets a bounded number of a plugin's invocations run, and a bounded number
// wait, in the order they came, whichever deployment they are for.
type gate struct {
	plugin string

	mu      sync.Mutex
	most    int           // that may run
	running int           // more than most for a while after most has sunk
	queue   list.List     // of chan struct{}, on which a slot is handed over
	held    time.Duration // an invocation keeps its slot, rather too low than too high
}

// enter takes a slot, for which it waits at most until the invocation's own
// deadline, the end of ctx. Whoever would wait in vain is refused at once: it
// may try elsewhere, and the queue holds only what can still be served.
func (g *gate) enter(ctx context.Context) (waited bool, err error) {
	g.mu.Lock()
	if g.running < g.most { // then nobody waits
		g.running++
		g.mu.Unlock()
		return false, nil
	}
	ahead := g.queue.Len()
	if why := g.hopeless(ctx, ahead); why != "" {
		defer g.mu.Unlock()
		return false, g.full(why)
	}
	turn := make(chan struct{}, 1)
	place := g.queue.PushBack(turn)
	g.mu.Unlock()
	select {
	case <-turn:
		return true, nil
	case <-ctx.Done():
		return true, g.giveUp(place, turn)
	}
}

// hopeless says why nobody else can wait, "" = it can. The caller holds mu.
func (g *gate) hopeless(ctx context.Context, ahead int) string {
	if ahead >= limit.Queue*g.most {
		return fmt.Sprintf("and %d more wait", ahead)
	}
	if deadline, ok := ctx.Deadline(); ok && g.wait(ahead) > time.Until(deadline) {
		return "and its turn would come after its deadline"
	}
	return ""
}

// wait is how long so many waiting ahead of one take to get their slots, and it
// its own, at least. The caller holds mu.
func (g *gate) wait(ahead int) time.Duration {
	return g.held * time.Duration(ahead+1) / time.Duration(g.most)
}

// giveUp leaves the queue, and passes on the slot that came meanwhile.
func (g *gate) giveUp(place *list.Element, turn chan struct{}) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-turn:
		g.running--
		g.admit()
	default:
		g.queue.Remove(place)
	}
	return g.full("and none of them ended in time")
}

// leave gives a slot back that was taken at start. Only where others wait does
// it matter, and is it measured, how long it was kept.
func (g *gate) leave(start time.Time, clock func() time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.queue.Len() > 0 {
		g.measure(clock().Sub(start))
	}
	g.running--
	g.admit()
}

// admit hands free slots to those who wait first. The caller holds mu.
func (g *gate) admit() {
	for first := g.queue.Front(); first != nil && g.running < g.most; first = g.queue.Front() {
		g.queue.Remove(first)
		g.running++
		first.Value.(chan struct{}) <- struct{}{} // it has room
	}
}

// resize changes how many may run. Those that run count on.
func (g *gate) resize(most int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.most = most
	g.admit()
}

// measure follows a shorter time by half, and a longer one by a sixteenth:
// nobody is sent away for a few that were slow. The caller holds mu.
func (g *gate) measure(held time.Duration) {
	weight := time.Duration(16)
	if held < g.held {
		weight = 2
	}
	g.held += (held - g.held) / weight
}

// full is the refusal. The caller holds mu.
func (g *gate) full(why string) error {
	return fault.New(fault.Unavailable, "dispatch", fmt.Sprintf(
		"plugin %q is at its limit of %d concurrent requests, %s", g.plugin, g.most, why))
}
