package dispatch_test

import (
	"context"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
)

// TestNoMemoryForAHandler: a handler that finds no memory for what it writes has
// failed, whatever it makes of that, and gives back what it had.
func TestNoMemoryForAHandler(t *testing.T) {
	b := newBench(t, 0)
	budget := limit.NewBudget(1 << 20)
	size := 2 << 20
	m := &machine{t: t, handle: func(_ context.Context, _ *part, inv *invoke.Invocation) error {
		first, second := inv.Hold(size/2), inv.Hold(size/2)
		if held := first && second; held != (size < 2<<20) {
			t.Errorf("%d bytes are held: %v", size, held)
		}
		return nil
	}}
	s := b.serve(func(c *dispatch.Config) { c.Program, c.Env.Memory = m, budget })
	if err := request(t.Context(), s, 0); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("over the budget: %v, want Unavailable", err)
	}
	size = 512 << 10
	b.request(s)
	if budget.Left() != budget.Size() {
		t.Errorf("%d of %d bytes are left", budget.Left(), budget.Size())
	}
}

// TestProgramMakesRoom: a program that finds no memory has those unloaded that
// serve nothing, the coldest first, until it fits.
func TestProgramMakesRoom(t *testing.T) {
	b := newBench(t, 0)
	others := [2]*machine{{}, {}}
	for _, m := range others {
		b.request(b.awake(m, 1))
	}
	unloaded := func() (n int) {
		for _, m := range others {
			n += m.counts().Unloads
		}
		return n
	}
	m := &machine{t: t}
	s := b.serve(func(c *dispatch.Config) {
		c.Load = func(context.Context) (engine.Program, error) {
			if unloaded() < 2 {
				return nil, fault.New(fault.Unavailable, "load", "no memory")
			}
			return m, nil
		}
	})
	b.request(s)
	if unloaded() != 2 {
		t.Errorf("%d programs are unloaded, want 2", unloaded())
	}
}
