package runq_test

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/runq"
)

// TestHammer: no place is lost and none is made, whoever gives up, whenever.
func TestHammer(t *testing.T) {
	const places, plugins, guests, turns = 3, 4, 8, 200
	q := runq.New(places)
	var running atomic.Int32
	h := &hammer{T: t, places: places, running: &running}
	var all sync.WaitGroup
	for range plugins {
		l := q.NewLine()
		for range guests {
			all.Go(func() {
				for range turns {
					h.turn(l)
				}
			})
		}
	}
	all.Wait()
	if !q.Idle() {
		t.Error("in the end places are lost, or somebody is counted who is gone")
	}
}

type hammer struct {
	*testing.T
	places  int32
	running *atomic.Int32
}

// turn makes a turn: at any time somebody else may end it, or its deadline.
func (h *hammer) turn(l *runq.Line) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rand.IntN(20))*time.Millisecond)
	defer cancel()
	var t runq.Turn
	t.Begin(l)
	if rand.IntN(4) == 0 {
		go cancel()
	}
	defer t.End()
	if t.Take(ctx) != nil {
		return
	}
	for range rand.IntN(5) {
		h.run()
		outside := rand.IntN(3) == 0
		if outside && t.Wait(ctx, runtime.Gosched) != nil || !outside && t.Check(ctx) != nil {
			return
		}
	}
	h.run()
}

// run is what a guest does with its place.
func (h *hammer) run() {
	if n := h.running.Add(1); n > h.places {
		h.Errorf("%d run at a time", n)
	}
	defer h.running.Add(-1)
	for until := time.Now().Add(time.Duration(rand.IntN(200)) * time.Microsecond); time.Now().Before(until); {
		if rand.IntN(2) == 0 {
			runtime.Gosched()
		}
	}
}

// BenchmarkTurn is what the queue adds to a request while nobody waits.
func BenchmarkTurn(b *testing.B) {
	l := runq.New(1 << 20).NewLine()
	ctx := b.Context()
	one := func(t *runq.Turn) {
		t.Begin(l)
		if err := t.Take(ctx); err != nil {
			b.Error(err)
		}
		t.End()
	}
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		var t runq.Turn
		for b.Loop() {
			one(&t)
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			var t runq.Turn
			for pb.Next() {
				one(&t)
			}
		})
	})
}

func TestATurnAllocatesNothing(t *testing.T) {
	l := runq.New(1).NewLine()
	var turn runq.Turn
	if n := testing.AllocsPerRun(100, func() {
		turn.Begin(l)
		if err := turn.Take(t.Context()); err != nil {
			t.Error(err)
		}
		turn.End()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
