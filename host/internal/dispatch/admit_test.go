package dispatch_test

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
)

// held is a service with one slot, whose handler keeps it until the test lets
// it go.
type held struct {
	*dispatch.Deployment
	bench          *bench
	entered, leave chan struct{}
	running        sync.WaitGroup
}

func newHeld(b *bench) *held {
	h := &held{bench: b, entered: make(chan struct{}), leave: make(chan struct{})}
	m := &machine{handle: func(context.Context, *part, *invoke.Invocation) error {
		h.entered <- struct{}{}
		<-h.leave
		return nil
	}}
	h.Deployment = b.awake(m, 1)
	return h
}

// begin sends requests until so many wait.
func (h *held) begin(waiting int) {
	for h.Waiting() < waiting {
		before := h.Waiting()
		h.running.Go(func() { h.bench.request(h.Deployment) })
		for h.Waiting() == before {
			runtime.Gosched()
		}
	}
}

// end lets so many handlers run to their ends, each for as long as held says.
func (h *held) end(n int, each time.Duration) {
	for range n {
		<-h.entered
		h.bench.clock.pass(each)
		h.leave <- struct{}{}
	}
}

func TestTheQueueIsBounded(t *testing.T) {
	b := newBench(t, 0)
	h := newHeld(b)
	h.running.Go(func() { b.request(h.Deployment) })
	<-h.entered
	h.begin(limit.Queue)
	if err := request(t.Context(), h.Deployment, 0); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("one more: %v, want unavailable", err)
	}
	if got := h.Waiting(); got != limit.Queue {
		t.Errorf("%d wait, want %d as before", got, limit.Queue)
	}
	// Another plugin has nothing to do with it.
	neighbour := new(machine)
	other := b.awake(neighbour, 1)
	for range 3 * limit.Queue {
		b.request(other)
	}
	h.leave <- struct{}{}
	h.end(limit.Queue, 0)
	h.running.Wait()
	if got := h.Waiting(); got != 0 {
		t.Errorf("%d wait in the end", got)
	}
}

func TestWhoWouldWaitInVainIsRefused(t *testing.T) {
	b := newBench(t, 0)
	h := newHeld(b)
	h.running.Go(func() { b.request(h.Deployment) })
	<-h.entered
	h.begin(8)
	// Each keeps the slot for two minutes: the host learns of it while some wait.
	b.clock.pass(2 * time.Minute)
	h.leave <- struct{}{}
	h.end(6, 2*time.Minute)
	<-h.entered // the seventh; the eighth waits
	if err := request(t.Context(), h.Deployment, time.Minute); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("with a minute left: %v, want unavailable", err)
	}
	if got := h.Waiting(); got != 1 {
		t.Errorf("%d wait, want 1: nobody in vain", got)
	}
	patient := make(chan error, 1)
	go func() { patient <- request(t.Context(), h.Deployment, time.Hour) }()
	for h.Waiting() < 2 {
		runtime.Gosched()
	}
	// Shorter ones are believed at once: the next with a minute waits again.
	h.leave <- struct{}{}
	h.end(1, 0)
	<-h.entered
	h.begin(1)
	h.leave <- struct{}{}
	if err := <-patient; err != nil {
		t.Errorf("with an hour left: %v", err)
	}
	h.end(1, 0)
	h.running.Wait()
}

// sibling is another deployment of h's plugin, with the same handler.
func (h *held) sibling() *held {
	s := &held{bench: h.bench, entered: h.entered, leave: h.leave}
	m := &machine{t: h.bench.t, handle: func(context.Context, *part, *invoke.Invocation) error {
		h.entered <- struct{}{}
		<-h.leave
		return nil
	}}
	s.Deployment = h.bench.serve(func(c *dispatch.Config) { c.Plugin, c.Program = h.Plugin(), m })
	return s
}

func TestTheLimitHoldsOverDeploymentsInTheOrderOfArrival(t *testing.T) {
	b := newBench(t, 0)
	old := newHeld(b)
	old.running.Go(func() { b.request(old.Deployment) })
	<-old.entered
	next := old.sibling()
	next.begin(1)
	old.begin(2)
	if err := request(t.Context(), next.Deployment, time.Millisecond); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("an impatient one: %v, want unavailable", err)
	}
	for want := 1; want >= 0; want-- {
		old.leave <- struct{}{}
		<-old.entered
		if got := old.Waiting(); got != want {
			t.Errorf("%d wait, want %d", got, want)
		}
		if want == 1 && next.Busy() != 1 {
			t.Error("the first that waited is not the first that runs")
		}
	}
	old.leave <- struct{}{}
	old.running.Wait()
	next.running.Wait()
}

func TestAnotherLimitHoldsAtOnce(t *testing.T) {
	b := newBench(t, 0)
	h := newHeld(b)
	h.running.Go(func() { b.request(h.Deployment) })
	<-h.entered
	h.begin(3)
	h.Plugin().SetConcurrency(3)
	<-h.entered
	<-h.entered
	if got := h.Waiting(); got != 1 {
		t.Errorf("%d wait under a limit of 3, want 1", got)
	}
	h.Plugin().SetConcurrency(1)
	for range 2 { // those that run count
		h.leave <- struct{}{}
		if got := h.Waiting(); got != 1 {
			t.Errorf("%d wait under a limit of 1, want 1", got)
		}
	}
	h.leave <- struct{}{}
	<-h.entered
	h.leave <- struct{}{}
	h.running.Wait()
}

// TestTheGateUnderLoad: slots are neither lost nor made, whoever gives up and
// however the limit changes.
func TestTheGateUnderLoad(t *testing.T) {
	b := newBench(t, 0)
	var running, most atomic.Int64
	m := &machine{handle: func(context.Context, *part, *invoke.Invocation) error {
		n := running.Add(1)
		defer running.Add(-1)
		most.Store(max(most.Load(), n))
		runtime.Gosched()
		return nil
	}}
	d := b.awake(m, 2)
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			for range 200 {
				deadline := time.Minute
				if i%4 == 0 {
					deadline = time.Microsecond
				}
				if err := request(t.Context(), d, deadline); err != nil && i%4 != 0 {
					t.Error(err)
				}
			}
		})
	}
	all.Go(func() {
		for i := range 200 {
			d.Plugin().SetConcurrency(1 + i%4)
			runtime.Gosched()
		}
	})
	all.Wait()
	if most.Load() > 4 {
		t.Errorf("%d ran at once, want 4 at most", most.Load())
	}
	if n := d.Running(); n != 0 {
		t.Errorf("%d slots are taken in the end", n)
	}
}
