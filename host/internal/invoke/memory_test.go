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

// TestJoin: the caller keeps the answer of a callee until its own end, whether or not the
// callee has written anything, so the answer counts for that long.
func TestJoin(t *testing.T) {
	for _, kept := range []bool{false, true} {
		budget := limit.NewBudget(1 << 20)
		env := &Env{Memory: budget}
		root := &Invocation{Env: env, Request: &Request{}}
		root.Begin(1, limit.Default(), nil)
		callee := &Invocation{Env: env, Request: &Request{}}
		callee.Within(root)
		callee.Begin(1, limit.Default(), nil)
		data := make([]byte, 400<<10)
		if !callee.Hold(len(data)) {
			t.Fatal("there is room for the answer")
		}
		callee.Reply.Write(data, 1<<20)
		if !root.Join(callee, kept) {
			t.Fatalf("kept %v: the caller has no room for the answer", kept)
		}
		callee.End()
		if got, want := budget.Size()-budget.Left(), int64(300<<10); got < want {
			t.Errorf("kept %v: the caller has the answer, and only %d bytes count", kept, got)
		}
		root.End()
		if budget.Left() != budget.Size() {
			t.Errorf("kept %v: %d bytes are left in the end", kept, budget.Left())
		}
	}
}
