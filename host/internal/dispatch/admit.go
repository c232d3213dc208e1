package dispatch

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
)

// gate lets a bounded number of invocations run, and a bounded number wait, in
// the order they came.
type gate struct {
	plugin  string
	slots   chan struct{} // one token for each running invocation
	waiting atomic.Int64
	held    atomic.Int64 // nanoseconds an invocation keeps its slot, rather too low than too high
}

func newGate(plugin string, concurrency int) *gate {
	return &gate{plugin: plugin, slots: make(chan struct{}, concurrency)}
}

// enter takes a slot, for which it waits at most until the invocation's own
// deadline, the end of ctx. Whoever would wait in vain is refused at once: it
// may try elsewhere, and the queue holds only what can still be served.
func (g *gate) enter(ctx context.Context) error {
	select {
	case g.slots <- struct{}{}:
		return nil
	default:
	}
	ahead := g.waiting.Add(1) - 1
	defer g.waiting.Add(-1)
	if ahead >= int64(limit.Queue*cap(g.slots)) {
		return g.full(fmt.Sprintf("and %d more wait", ahead))
	}
	if deadline, ok := ctx.Deadline(); ok && g.wait(ahead) > time.Until(deadline) {
		return g.full("and its turn would come after its deadline")
	}
	select {
	case g.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return g.full("and none of them ended in time")
	}
}

// wait is how long so many waiting ahead of one take to get their slots, and it
// its own, at least.
func (g *gate) wait(ahead int64) time.Duration {
	return time.Duration(g.held.Load() * (ahead + 1) / int64(cap(g.slots)))
}

// leave gives a slot back that was taken at start. Only where others wait does
// it matter, and is it measured, how long it was kept.
func (g *gate) leave(start time.Time, clock func() time.Time) {
	if g.waiting.Load() > 0 {
		g.measure(clock().Sub(start))
	}
	<-g.slots
}

// measure follows a shorter time by half, and a longer one by a sixteenth:
// nobody is sent away for a few that were slow. A measurement that is lost to
// another at the same moment is no loss.
func (g *gate) measure(held time.Duration) {
	was := g.held.Load()
	weight := int64(16)
	if int64(held) < was {
		weight = 2
	}
	g.held.Store(was + (int64(held)-was)/weight)
}

func (g *gate) full(why string) error {
	return fault.New(fault.Unavailable, "dispatch", fmt.Sprintf(
		"plugin %q is at its limit of %d concurrent requests, %s", g.plugin, cap(g.slots), why))
}
