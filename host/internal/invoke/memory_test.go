package invoke

import (
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
)

// TestHold: what attempts keep is counted beyond what is free, is never over the
// budget, and is given back at their end.
func TestHold(t *testing.T) {
	budget := limit.NewBudget(100 << 10)
	env := &Env{Memory: budget}
	begin := func() *Invocation {
		inv := &Invocation{Env: env, Request: &Request{}}
		inv.Begin(1, limit.Default(), nil)
		return inv
	}
	small, large, late := begin(), begin(), begin()
	if !small.Hold(freeMemory) || budget.Left() != budget.Size() {
		t.Errorf("what is free takes %d bytes", budget.Size()-budget.Left())
	}
	if !large.Hold(freeMemory/2) || !large.Hold(freeMemory/2+90<<10) || budget.Left() != 10<<10 {
		t.Errorf("%d bytes are left, want 10 KiB", budget.Left())
	}
	if late.Hold(freeMemory + 11<<10) {
		t.Error("more than there is was kept")
	}
	if code := fault.CodeOf(late.Starved()); code != fault.Unavailable || large.Starved() != nil {
		t.Errorf("the late one failed with %q, the large one with %v", code, large.Starved())
	}
	if late.Hold(1) {
		t.Error("an attempt that has failed goes on")
	}
	late.End()
	large.End()
	if budget.Left() != budget.Size() {
		t.Errorf("%d of %d bytes are left in the end", budget.Left(), budget.Size())
	}
	late.Begin(2, limit.Default(), nil)
	if !late.Hold(freeMemory+100<<10) || late.Starved() != nil {
		t.Errorf("another attempt fails: %v", late.Starved())
	}
	late.Begin(3, limit.Default(), nil) // without an End, as after a panic
	if budget.Left() != budget.Size() {
		t.Errorf("%d bytes are left after a new beginning", budget.Left())
	}
}
