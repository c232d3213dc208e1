package trace_test

import (
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/trace"
)

// TestTraps reads what the host says of traps, as `wasmoor logs` has it.
func TestTraps(t *testing.T) {
	for text, kind := range map[string]string{
		"handle: the guest trapped: unreachable: in main.f":                                                   "unreachable",
		"handle: the guest trapped: out of bounds memory access":                                              "out_of_bounds",
		"handle: the guest trapped: integer divide by zero":                                                   "arithmetic",
		"handle: the guest trapped: stack overflow; is there a recursion without an end?":                     "stack_overflow",
		"handle: the guest trapped: indirect call type mismatch":                                              "trap",
		"handle: the guest trapped: unreachable; out of memory: the guest asked for 64.0 MiB in all, and":     "out_of_memory",
		"handle: the guest gave up: panic: assignment to entry in nil map":                                    "panic",
		"handle: the guest exited with 1, as os.Exit and log.Fatal do: return an error instead: in main.main": "exit",
		"handle: the database is sad":                                                                         "reported",
	} {
		var c trace.Counts
		c.Add(&trace.Record{Code: "trap", Error: text, Attempts: 1})
		parts := c.Parts()
		for got, n := range parts.Traps {
			if (n == 1) != (got == kind) {
				t.Errorf("%q counts as %d of %s, want %s", text, n, got, kind)
			}
		}
		if parts.Faults["trap"] != 1 || parts.Attempts != 1 || parts.Outcomes[trace.None] != 1 {
			t.Errorf("%q counts as %+v", text, parts)
		}
	}
}
