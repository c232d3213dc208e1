package dispatch_test

import (
	"context"
	"runtime"
	"sync"
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
	*dispatch.Service
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
	h.Service = b.awake(m, 1)
	return h
}

// begin sends requests until so many wait.
func (h *held) begin(waiting int) {
	for h.Waiting() < waiting {
		before := h.Waiting()
		h.running.Go(func() { h.bench.request(h.Service) })
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
	h.running.Go(func() { b.request(h.Service) })
	<-h.entered
	h.begin(limit.Queue)
	if err := request(t.Context(), h.Service, 0); fault.CodeOf(err) != fault.Unavailable {
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
	h.running.Go(func() { b.request(h.Service) })
	<-h.entered
	h.begin(8)
	// Each keeps the slot for two minutes: the host learns of it while some wait.
	b.clock.pass(2 * time.Minute)
	h.leave <- struct{}{}
	h.end(6, 2*time.Minute)
	<-h.entered // the seventh; the eighth waits
	if err := request(t.Context(), h.Service, time.Minute); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("with a minute left: %v, want unavailable", err)
	}
	if got := h.Waiting(); got != 1 {
		t.Errorf("%d wait, want 1: nobody in vain", got)
	}
	patient := make(chan error, 1)
	go func() { patient <- request(t.Context(), h.Service, time.Hour) }()
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
