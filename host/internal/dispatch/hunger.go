package dispatch

import (
	"container/list"
	"context"
	"sync"
	"sync/atomic"

	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/runq"
)

// hunger is the queue of those who found no memory for an instance. Everybody
// whose turn it is tries for himself, as it depends on the size of his instance
// whether there is enough by now.
type hunger struct {
	size atomic.Int64 // of queue, for those who only want to know whether there is one

	mu    sync.Mutex
	queue list.List // of chan int
}

// maxTurns bounds how many try when an instance is given back, so that a few
// that need much do not keep the others from what is enough for them.
const maxTurns = 4

// fed gives those who wait their turn, as an instance was given back or closed.
func (h *hunger) fed() {
	if h.size.Load() > 0 {
		h.next(maxTurns)
	}
}

// next lets the first in the queue try, and so many with him after each other
// until one succeeds.
func (h *hunger) next(turns int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if first := h.queue.Front(); first != nil && turns > 0 {
		h.remove(first)
		first.Value.(chan int) <- turns // it has room: nobody is in the queue twice
	}
}

func (h *hunger) remove(e *list.Element) {
	h.queue.Remove(e)
	h.size.Add(-1)
}

func (h *hunger) join(turn chan int) *list.Element {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.size.Add(1)
	return h.queue.PushBack(turn)
}

// leave gives a place up, and a turn that came meanwhile to the next.
func (h *hunger) leave(place *list.Element, turn chan int) {
	h.mu.Lock()
	select {
	case turns := <-turn:
		h.mu.Unlock()
		h.next(turns)
	default:
		h.remove(place)
		h.mu.Unlock()
	}
}

// wait tries until there is memory, or ctx ends: then it returns the error of
// the last try.
func (h *hunger) wait(ctx context.Context, try func() (engine.Instance, error)) (engine.Instance, error) {
	turn := make(chan int, 1)
	for turns := 0; ; {
		place := h.join(turn) // before the try: what is given back during it must not be missed
		instance, err := try()
		if fault.CodeOf(err) != fault.Unavailable {
			h.leave(place, turn)
			return instance, err
		}
		h.next(turns - 1)
		given := false
		late := runq.Of(ctx).Wait(ctx, func() {
			select {
			case turns = <-turn:
				given = true
			case <-ctx.Done():
			}
		})
		switch {
		case !given:
			h.leave(place, turn)
			return nil, err
		case late != nil:
			h.next(turns)
			return nil, err
		}
	}
}
