package trace_test

import (
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/trace"
)

func TestCounts(t *testing.T) {
	var c trace.Counts
	for _, r := range []trace.Record{
		{Status: 200, Attempts: 1},
		{Status: 404, Attempts: 2, Conflict: true},
		{Status: 500, Attempts: 1},
		{Code: "conflict", Attempts: 3, Conflict: true},
		{Code: "unavailable"},
		{Status: 200, Replayed: true},
	} {
		c.Add(&r)
	}
	if got, want := c.Totals(), (trace.Totals{Requests: 6, Failures: 3, Conflicts: 4}); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
}
