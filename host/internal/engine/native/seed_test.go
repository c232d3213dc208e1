package native

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
)

// seedGuest returns the guest that initialises in a way.
func seedGuest(tb testing.TB, way string) []byte {
	tb.Helper()
	mark := []byte("kind????")
	module := goGuest(tb, seeds)
	if bytes.Count(module, mark) != 1 || len(way) > len(mark) {
		tb.Fatalf("the guest has %d places for %q", bytes.Count(module, mark), way)
	}
	return bytes.Replace(module, mark, fmt.Appendf(nil, "%-*s", len(mark), way), 1)
}

// prepareWith prepares a module with options, until the test ends.
func prepareWith(tb testing.TB, module []byte, o engine.Options) engine.Program {
	tb.Helper()
	o.Memory = 64 << 20
	e := enginetest.InProcess(New(Config{Functions: capabilities.All(capabilities.Config{}).Native()}))
	p, err := e.Prepare(tb.Context(), module, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = p.Close(context.Background())
		_ = e.Close(context.Background())
	})
	return p
}

// answers returns what a program answers to so many requests, each in the clean
// instance that dispatch would give it.
func answers(tb testing.TB, p engine.Program, count int) (list [][3]uint64) {
	tb.Helper()
	var in engine.Instance
	for range count {
		if in == nil {
			var err error
			if in, err = p.Instance(tb.Context()); err != nil {
				tb.Fatal(err)
			}
		}
		var numbers [3]uint64
		if _, err := binary.Decode(handle(tb, in, enginetest.Invocation("", nil, nil)), binary.LittleEndian, &numbers); err != nil {
			tb.Fatal(err)
		}
		list = append(list, numbers)
		if !in.Reset() {
			_ = in.Close(tb.Context())
			in = nil
		}
	}
	return list
}

// TestNothingRandomIsShared: whatever a guest seeds while it initialises, no two
// requests get the same of it. What cannot be given to each instance anew is
// found, and told with the function that got it.
func TestNothingRandomIsShared(t *testing.T) {
	for _, test := range []struct {
		kind  string
		fresh string // what is told; "" = instances are put back
		by    string
	}{
		{"late", "", ""},
		{"fixed", "", ""},
		{"maps", "", ""},
		{"garbage", "", ""},
		{"waiting", "", ""},
		{"select", "", ""},
		{"fold", "random bytes", "main.init."},
		{"link", "the monotonic clock", "main.init."},
		{"import", "the monotonic clock", "main."},
		{"temp", "random numbers", ""},
		{"clock", "the wall clock", "main.init."},
		{"seconds", "the wall clock", "main.init."},
		{"started", "the wall clock", "main.init."},
		{"jitter", "the monotonic clock", ""},
		{"numbers", "random numbers", "main.init."},
		{"numbers1", "random numbers", "main.init."},
		{"hash", "random numbers", "main.init."},
		{"token", "random bytes", "main.init."},
		{"bytes", "random bytes", "main.init."},
	} {
		t.Run(test.kind, func(t *testing.T) {
			t.Parallel()
			p := prepareWith(t, seedGuest(t, test.kind), engine.Options{})
			if (p.Fresh() == "") != (test.fresh == "") || !strings.Contains(p.Fresh(), test.fresh) || !strings.Contains(p.Fresh(), test.by) {
				t.Errorf("fresh: %q, want %q by %q", p.Fresh(), test.fresh, test.by)
			}
			switch test.kind {
			case "seconds":
				return // a minute has 60 of them
			case "fixed":
				if list := answers(t, p, 2); list[0] != list[1] {
					t.Errorf("a generator with a seed of its own makes %d and %d", list[0], list[1])
				}
				return
			}
			seen := map[[3]uint64]bool{}
			for i, numbers := range answers(t, p, 20) {
				if seen[numbers] {
					t.Fatalf("request %d repeats %d", i, numbers)
				}
				seen[numbers] = true
			}
		})
	}
}

// TestMapsAreNoNumbers: for each map that a function keeps to itself it draws
// from the runtime's generator, which no program sees.
func TestMapsAreNoNumbers(t *testing.T) {
	p := prepareWith(t, goGuest(t, maps), engine.Options{Warmups: []manifest.Warmup{warmup}})
	if p.Fresh() != "" || p.Cold() != "" {
		t.Errorf("fresh: %q, cold: %q", p.Fresh(), p.Cold())
	}
}

// TestFrozenIsAccepted: who accepts that something is the same for all requests
// gets it, of that source alone.
func TestFrozenIsAccepted(t *testing.T) {
	for _, test := range []struct {
		kind, frozen string
		accepted     bool
	}{
		{"clock", manifest.FrozenClock, true},
		{"clock", manifest.FrozenRandom, false},
		{"numbers", manifest.FrozenRandom, true},
		{"numbers", manifest.FrozenClock, false},
		{"token", manifest.FrozenRandom, true},
	} {
		t.Run(test.kind+" "+test.frozen, func(t *testing.T) {
			t.Parallel()
			p := prepareWith(t, seedGuest(t, test.kind), engine.Options{Frozen: []string{test.frozen}})
			if got := p.Fresh() == ""; got != test.accepted {
				t.Fatalf("instances are put back: %v, want %v (%s)", got, test.accepted, p.Fresh())
			}
			list := answers(t, p, 2)
			if same := list[0] == list[1]; same != test.accepted {
				t.Errorf("%d and %d", list[0], list[1])
			}
		})
	}
}
