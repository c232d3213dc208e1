//go:build cguest

package e2e

import "testing"

// TestCFrozen has a guest in C seed its generator from the clock.
func TestCFrozen(t *testing.T) {
	cc, err := clangC()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("CC", cc)
	s := serve(t, t.TempDir(), "--log-level", "error")
	s.differs(t, "testdata/frozen/c", "frozen-c", 100, "the wall clock, which initialize")
}
