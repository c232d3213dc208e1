package rewrite

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/format"
)

var errEnd = errors.New("the call is ended")

// checker is the host's side of the checks: it counts them and ends the call at
// the last one.
type checker struct{ made, last int }

func (c *checker) check() {
	if c.made++; c.made == c.last {
		panic(errEnd)
	}
}

// newRuntime returns a runtime whose checks are c's. A test that fails ends with
// its context.
func newRuntime(t testing.TB, c *checker) wazero.Runtime {
	t.Helper()
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithCoreFeatures(features).WithCloseOnContextDone(true))
	t.Cleanup(func() { r.Close(ctx) })
	addChecks(t, r, c.check)
	return r
}

// addChecks gives instrumented modules what they import.
func addChecks(t testing.TB, r wazero.Runtime, check func()) {
	t.Helper()
	_, err := r.NewHostModuleBuilder(InterruptModule).NewFunctionBuilder().WithFunc(check).Export(InterruptName).
		Instantiate(context.Background())
	if err != nil {
		t.Fatal(err)
	}
}

func instantiate(t testing.TB, r wazero.Runtime, module []byte) api.Module {
	t.Helper()
	m, err := r.InstantiateWithConfig(context.Background(), module, wazero.NewModuleConfig().WithName(""))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestEveryEndlessCallIsEnded: whatever repeats passes a check. Each call is
// made twice, so that a call that was ended leaves an instance that can be
// called.
func TestEveryEndlessCallIsEnded(t *testing.T) {
	const (
		again  = "\x0c\x00"                         // br 0
		memory = "\x41\x00\x41\x00\x41\x80\x80\x04" // to 0, of 0, 64 KiB
	)
	big := repeat("\x41\x00\x1a", 200)
	for _, tt := range []struct {
		name   string
		bodies []string
	}{
		{"loop", []string{function("\x03\x40" + again + "\x0b")}},
		{"br_if", []string{function("\x03\x40\x41\x01\x0d\x00\x0b")}},
		{"br_table", []string{function("\x03\x40\x02\x40\x41\x00\x0e\x02\x01\x00\x01\x0b\x0b")}},
		{"inner loop", []string{function("\x03\x40\x03\x40\x41\x01\x0d\x01\x0b\x0b")}},
		{"loop over all checks but its own", []string{function(append(append([]string{"\x03\x40\x02\x40\x0c\x00"}, big...), "\x0b"+again+"\x0b")...)}},
		{"long loop", []string{function(append(append([]string{"\x03\x40"}, big...), again+"\x0b")...)}},
		{"loop of small calls", []string{function("\x03\x40\x10\x01" + again + "\x0b"), code}},
		{"loop of large calls", []string{function("\x03\x40\x10\x01" + again + "\x0b"), function(big...)}},
		{"tail call of itself", []string{function("\x12\x00")}},
		{"tail calls of each other", []string{function("\x12\x01"), function(append(append([]string{}, big...), "\x12\x00")...)}},
		{"exponential recursion", exponential(40)},
		{"dispatch back to its own state", dispatching("\x0b", "\x41\x01\x21\x00\x0c\x00\x0b")},
		{"dispatch back to another state", dispatching("\x0b", "\x41\x00\x21\x00\x0c\x00\x0b")},
		{"dispatch from another block at that place", dispatching("\x0b", "\x02\x40\x41\x01\x21\x00\x0c\x01\x0b\x0b")},
		{"dispatch to the default", dispatching("\x0b", "\x41\x07\x21\x00\x0c\x00\x0b")},
		{"dispatch to a state that is not constant", dispatching("\x0b", "\x20\x00\x21\x00\x0c\x00\x0b")},
		{"dispatch with a state set before", dispatching("\x0b", "\x41\x00\x21\x00\x01\x0c\x00\x0b")},
		{"dispatch with another local", dispatching("\x0b", "\x41\x00\x21\x01\x0c\x00\x0b")},
		{"dispatch forwards by the wrong local", staying("\x41\x00\x21\x01\x0c\x01")},
		{"dispatch forwards by a local's value", staying("\x20\x00\x21\x00\x0c\x01")},
		{"dispatch forwards by a value that is not kept", staying("\x41\x00\x21\x00\x41\x01\x21\x00\x0c\x01")},
		{"dispatch to the loop itself", []string{withLocals("\x01\x01"+i32, "\x03\x40\x02\x40\x20\x00\x0e\x01\x01\x01\x0b\x0b")}},
		{"dispatch to an outer dispatch", []string{withLocals("\x01\x01"+i32,
			"\x03\x40\x02\x40\x20\x00\x0e\x00\x00\x0b\x03\x40\x02\x40\x20\x00\x0e\x01\x02\x02\x0b\x41\x00\x21\x00\x0c\x00\x0b\x0b")}},
		{"fill", []string{function("\x03\x40" + memory + "\xfc\x0b\x00" + again + "\x0b")}},
		{"copy", []string{function("\x03\x40" + memory + "\xfc\x0a\x00\x00" + again + "\x0b")}},
		{"grow", []string{function("\x03\x40\x41\x00\x40\x00\x1a" + again + "\x0b")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			c := &checker{last: 3}
			m := instantiate(t, newRuntime(t, c), mustInstrument(t, module(nil, tt.bodies...)).Module)
			for range 2 {
				c.made = 0
				if _, err := m.ExportedFunction("f").Call(ctx); !errors.Is(err, errEnd) {
					t.Fatalf("the call ended with %v", err)
				}
			}
		})
	}
}

// dispatching is a function that jumps by its local 0, which starts at 0: code
// follows the end of each of two blocks.
func dispatching(first, second string) []string {
	return []string{withLocals("\x01\x02"+i32, "\x03\x40\x02\x40\x02\x40\x20\x00\x0e\x01\x00\x01"+"\x0b"+first+second)}
}

// staying is a function that jumps by its local 0, which starts at 1, to code
// behind the first block; 0 would lead out of the second.
func staying(code string) []string {
	return []string{withLocals("\x01\x02"+i32, "\x41\x01\x21\x00\x03\x40\x02\x40\x02\x40\x20\x00\x0e\x01\x01\x00\x0b"+code+"\x0b\x0b")}
}

// exponential is n functions of which each calls the next one twice.
func exponential(n uint32) []string {
	bodies := make([]string, 0, n+1)
	for i := range n {
		bodies = append(bodies, function("\x10"+u(i+1)+"\x10"+u(i+1)))
	}
	return append(bodies, code)
}

func TestStartFunctionIsEnded(t *testing.T) {
	b := header + section(format.IDType, vec(funcType("", ""))) + section(format.IDFunction, vec(u(0))) + section(format.IDStart, u(0)) +
		section(format.IDCode, vec(function("\x03\x40\x0c\x00\x0b")))
	in := mustInstrument(t, b)
	m := instantiate(t, newRuntime(t, &checker{last: 2}), in.Module)
	if _, err := m.ExportedFunction(StartExport).Call(context.Background()); !errors.Is(err, errEnd) || !in.Start {
		t.Errorf("the start function ended with %v", err)
	}
}
