package rewrite

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/format"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/lower"
)

// tailing returns a module whose f(n) makes a tail call with a full set of registers
// in use, directly or through a table, of a function with these parameters, which
// mixes them.
func tailing(params, call string) []byte {
	const values = 20
	sum := "\x42\x00"
	for i, t := range params {
		sum += "\x42\x1f\x7e\x20" + u(uint32(i)) + map[string]string{i32: "\xac", i64: "", f64: "\xbd"}[string(t)] + "\x7c"
	}
	var set, pass string
	for i := range values {
		set += "\x20\x00\x42" + string(format.AppendSigned(nil, int64(1000+i))) + "\x7e\x21" + u(uint32(1+i))
	}
	set += "\x20\x00\x10\x02\x21\x00"
	for i, t := range params {
		pass += "\x20" + u(uint32(1+i%values)) + "\x20\x00\x7c" + map[string]string{i32: "\xa7", i64: "", f64: "\xb9"}[string(t)]
	}
	var rest string
	for i := range values {
		rest += "\x20" + u(uint32(1+i)) + "\x20\x00\x7c\x21\x00"
	}
	return []byte(header + section(format.IDType, vec(funcType(i64, i64), funcType(params, i64))) + section(format.IDFunction, vec(u(0), u(1), u(0))) +
		section(format.IDTable, vec("\x70\x00\x03")) + section(format.IDExport, vec(text("f")+"\x00\x00")) +
		section(format.IDElement, vec("\x00"+zero+vec(u(0), u(1), u(2)))) +
		section(format.IDCode, vec(withLocals(vec(u(values)+i64), set+rest+pass+call), function(sum), function("\x20\x00\x42\x07\x7c"))))
}

// TestTailCalls passes more and more parameters by tail calls, and has the compiler
// agree with the interpreter.
func TestTailCalls(t *testing.T) {
	ctx := context.Background()
	for n := range 14 {
		for _, params := range []string{strings.Repeat(i64, n), strings.Repeat(i32, n), strings.Repeat(f64, n), strings.Repeat(i64+f64, n)} {
			for name, call := range map[string]string{"direct": "\x12\x01", "through a table": "\x41\x01\x13\x01\x00"} {
				b := tailing(params, call)
				want := tailed(ctx, t, wazero.NewRuntimeConfigInterpreter(), b)
				for _, arch := range []string{lower.AMD64, lower.ARM64} {
					if got := tailed(ctx, t, wazero.NewRuntimeConfigCompiler(), lowerFor(t, b, arch)); got != want {
						t.Errorf("%s, %d parameters (%x), for %s: %s, want %s", name, len(params), params, arch, got, want)
					}
				}
			}
		}
	}
}

func tailed(ctx context.Context, t *testing.T, config wazero.RuntimeConfig, b []byte) (s string) {
	t.Helper()
	r := wazero.NewRuntimeWithConfig(ctx, config.WithCoreFeatures(features))
	defer r.Close(ctx)
	addChecks(t, r, func() {})
	f := instantiate(t, r, b).ExportedFunction("f")
	for _, n := range []uint64{0, 3, 1 << 40} {
		results, err := f.Call(ctx, n)
		s += fmt.Sprint(results, err, " ")
	}
	return s
}

// TestTailCallsKeepNoFrame makes more of them than frames fit on a stack.
func TestTailCallsKeepNoFrame(t *testing.T) {
	for name, call := range map[string]string{"direct": "\x12\x00", "through a table": "\x41\x00\x13\x00\x00"} {
		b := []byte(header + section(format.IDType, vec(funcType(i64, i64))) + section(format.IDFunction, vec(u(0))) +
			section(format.IDTable, vec("\x70\x00\x01")) + section(format.IDExport, vec(text("f")+"\x00\x00")) +
			section(format.IDElement, vec("\x00"+zero+vec(u(0)))) +
			section(format.IDCode, vec(function("\x20\x00\x50\x04\x40\x42\x2a\x0f\x0b\x20\x00\x42\x01\x7d"+call))))
		in := mustInstrument(t, string(b))
		results, err := instantiate(t, newRuntime(t, &checker{}), in.Module).ExportedFunction("f").Call(context.Background(), 20_000_000)
		if err != nil || results[0] != 42 {
			t.Errorf("%s: %v, %v", name, results, err)
		}
	}
}
