package trace_test

import (
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/trace"
)

func TestCounts(t *testing.T) {
	var c trace.Counts
	for _, r := range []trace.Record{
		{Status: 200, Attempts: 1, Wait: 2, Run: 30},
		{Status: 404, Attempts: 2, Conflict: true, Wait: 3, Run: 40},
		{Status: 500, Attempts: 1},
		{Code: "conflict", Attempts: 3, Conflict: true},
		{Code: "unavailable"},
		{Status: 200, Replayed: true},
	} {
		c.Add(&r)
	}
	if got, want := c.Totals(), (trace.Totals{Requests: 6, Failures: 3, Conflicts: 4, Wait: 5, Run: 70}); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
}
