package invoke_test

import (
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
)

// counted is a state that counts how often it is closed.
type counted struct{ closed int }

func (c *counted) Close() { c.closed++ }

// TestStatesEndWithTheirAttempt: what one attempt keeps, the next does not see.
func TestStatesEndWithTheirAttempt(t *testing.T) {
	inv := &invoke.Invocation{Env: &invoke.Env{}, Request: &invoke.Request{}}
	a, b := &counted{}, &counted{}
	inv.Begin(1, limit.Default(), nil)
	if got := inv.State("a"); got != nil {
		t.Errorf("before it keeps anything: %v", got)
	}
	inv.Keep("a", a)
	inv.Keep("b", b)
	if inv.State("a") != a || inv.State("b") != b || inv.State("c") != nil {
		t.Errorf("got %v, %v, %v", inv.State("a"), inv.State("b"), inv.State("c"))
	}
	inv.End()
	inv.End()
	if a.closed != 1 || b.closed != 1 || inv.State("a") != nil {
		t.Errorf("after the attempt: closed %d and %d times, and %v is left", a.closed, b.closed, inv.State("a"))
	}
	if allocs := testing.AllocsPerRun(100, func() {
		inv.Begin(1, limit.Default(), nil)
		inv.Keep("a", a)
		inv.End()
	}); allocs != 0 {
		t.Errorf("%v allocations to keep a state", allocs)
	}
}

// called are Calls that note when they are closed.
type called struct {
	invoke.Calls
	closed int
}

func (c *called) Close() { c.closed++ }

// TestCallsLastForAllAttempts of a request, and no longer: an invocation serves
// many.
func TestCallsLastForAllAttempts(t *testing.T) {
	inv, calls := &invoke.Invocation{Env: &invoke.Env{}, Request: &invoke.Request{}}, &called{}
	for attempt := range 3 {
		inv.Begin(attempt+1, limit.Default(), nil)
		if attempt == 0 {
			inv.KeepCalls(calls)
		}
		inv.End()
		if inv.Calls() != calls || calls.closed != 0 {
			t.Errorf("attempt %d has %v, closed %d times", attempt+1, inv.Calls(), calls.closed)
		}
	}
	inv.Finish()
	inv.Finish()
	if inv.Calls() != nil || calls.closed != 1 {
		t.Errorf("the next request has %v, closed %d times", inv.Calls(), calls.closed)
	}
}
