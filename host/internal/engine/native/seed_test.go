package native

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
)

// seedGuest returns the guest that initialises in a way.
func seedGuest(tb testing.TB, kind string) []byte {
	tb.Helper()
	file := filepath.Join(tb.TempDir(), "guest.wasm")
	build := exec.Command("go", "build", "-buildmode=c-shared", "-ldflags=-s -w -X main.kind="+kind, "-o", file, "./testdata/seedguest")
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if out, err := build.CombinedOutput(); err != nil {
		tb.Fatalf("%v\n%s", err, out)
	}
	module, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	return module
}

// prepareWith prepares a module and returns what whoever deploys is told.
func prepareWith(tb testing.TB, module []byte, o engine.Options) (engine.Program, *[]string) {
	tb.Helper()
	told := new([]string)
	o.Memory = 64 << 20
	o.Note = func(text string) { *told = append(*told, text) }
	e := engine.InProcess(New(Config{}))
	p, err := e.Prepare(tb.Context(), module, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = p.Close(context.Background())
		_ = e.Close(context.Background())
	})
	return p, told
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
		if err := json.Unmarshal(handle(tb, in, enginetest.Invocation("", nil, nil)), &numbers); err != nil {
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
			p, _ := prepareWith(t, seedGuest(t, test.kind), engine.Options{})
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
			p, _ := prepareWith(t, seedGuest(t, test.kind), engine.Options{Frozen: []string{test.frozen}})
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
