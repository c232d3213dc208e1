package rewrite

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/format"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/lower"
)

func floatBits(f float64) uint64 { return math.Float64bits(f) }

// TestCompilerAgrees runs random programs with the interpreter as they are, and
// with the compiler as Instrument leaves them and from a snapshot, and has them
// agree on results, traps, globals and memory.
func TestCompilerAgrees(t *testing.T) {
	first, n := uint64(0), 1_000/perProgram
	if *soak {
		first, n = *seed<<32, 1_000_000/perProgram
	}
	var sum difference
	for s := first; s < first+uint64(n); s++ {
		d := differ(t, s, rules{fuel: fuelPerCheck, keepLimits: true, arch: lower.AMD64})
		sum.calls += d.calls
		sum.traps += d.traps
		if len(d.list) > 0 {
			t.Errorf("seed %d: %s", s, d.list[0])
			sum.list = append(sum.list, d.list...)
		}
	}
	t.Logf("%d functions, %d calls, %d traps, %d disagree", n*perProgram, sum.calls, sum.traps, len(sum.list))
	if sum.traps == 0 || sum.traps > sum.calls/4 {
		t.Errorf("%d of %d calls trapped; the generator shows too little", sum.traps, sum.calls)
	}
}

// difference is how a program went.
type difference struct {
	calls, traps int
	list         []string // what disagrees, at most one for each function
}

// differ compares the program of a seed under some rules.
func differ(t *testing.T, seed uint64, rules rules) (d difference) {
	t.Helper()
	b := randomProgram(seed)
	in, err := instrument(b, rules)
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	ctx := context.Background()
	interpreter := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(features))
	defer interpreter.Close(ctx)
	compiler := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler().WithCoreFeatures(features))
	defer compiler.Close(ctx)
	want, err := interpreter.InstantiateWithConfig(ctx, b, wazero.NewModuleConfig().WithName(""))
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	addChecks(t, compiler, func() {})
	got := instantiate(t, compiler, in.Module)
	if seed%8 == 0 && in.Fresh == "" {
		image, globals := stateOf(got, in)
		snapshot, err := Snapshot(in.Module, uint32(len(image)/wasmbin.PageSize), globals)
		if err != nil {
			t.Fatal(err)
		}
		got = instantiate(t, compiler, snapshot)
		got.Memory().Write(0, image)
	}
	random := rand.New(rand.NewPCG(seed, 4))
	for i := range perProgram {
		for range 3 {
			if what := d.call(random, want, got, functionName(i)); what != "" {
				d.list = append(d.list, what)
				copyState(want, got)
				break
			}
		}
	}
	return d
}

// call calls a function in both and says what is different then, if anything.
func (d *difference) call(random *rand.Rand, want, got api.Module, name string) string {
	types := want.ExportedFunction(name).Definition()
	var args []uint64
	for _, t := range types.ParamTypes() {
		args = append(args, argument(random, t)...)
	}
	d.calls++
	a, errA := want.ExportedFunction(name).Call(context.Background(), args...)
	b, errB := got.ExportedFunction(name).Call(context.Background(), args...)
	if errA != nil {
		d.traps++
	}
	if x, y := outcome(nil, errA), outcome(nil, errB); x != y {
		return fmt.Sprintf("%s%#x gives %s, want %s", name, args, y, x)
	}
	if x, y := shown(types.ResultTypes(), a), shown(types.ResultTypes(), b); x != y {
		return fmt.Sprintf("%s%#x gives %s, want %s", name, args, y, x)
	}
	for _, g := range []string{"ga", "gb", "gc", "gd"} {
		if x, y := want.ExportedGlobal(g).Get(), got.ExportedGlobal(g).Get(); x != y {
			return fmt.Sprintf("%s%#x: global %s is %#x, want %#x", name, args, g, y, x)
		}
	}
	m, _ := want.Memory().Read(0, want.Memory().Size())
	o, _ := got.Memory().Read(0, got.Memory().Size())
	if !bytes.Equal(m, o) {
		at := 0
		for m[at] == o[at] {
			at++
		}
		return fmt.Sprintf("%s%#x: memory is different from %#x on", name, args, at)
	}
	return ""
}

// argument returns a value of a type; a vector has two words.
func argument(random *rand.Rand, t api.ValueType) []uint64 {
	p := &program{Rand: random}
	switch v := p.bits(); t {
	case api.ValueTypeI32, api.ValueTypeF32:
		return []uint64{uint64(uint32(v))}
	case byte(format.V128):
		return []uint64{v, p.bits()}
	default:
		return []uint64{v}
	}
}

// shown shows results, all that are no numbers alike.
func shown(types []api.ValueType, results []uint64) string {
	var s string
	for _, t := range types {
		if len(results) == 0 {
			return "nothing"
		}
		v := results[0]
		results = results[1:]
		switch t {
		case api.ValueTypeI32:
			s += fmt.Sprintf(" %#x", uint32(v))
		case api.ValueTypeF32:
			if f := math.Float32frombits(uint32(v)); f != f {
				v = math.MaxUint32
			}
			s += fmt.Sprintf(" %#x", uint32(v))
		case api.ValueTypeF64:
			if f := math.Float64frombits(v); f != f {
				v = math.MaxUint64
			}
			s += fmt.Sprintf(" %#x", v)
		case byte(format.V128):
			s += fmt.Sprintf(" %#x:%#x", v, results[0])
			results = results[1:]
		default:
			s += fmt.Sprintf(" %#x", v)
		}
	}
	return s
}

// copyState has one disagreement not lead to others.
func copyState(from, to api.Module) {
	m, _ := from.Memory().Read(0, from.Memory().Size())
	to.Memory().Write(0, m)
	for _, g := range []string{"ga", "gb", "gc", "gd"} {
		to.ExportedGlobal(g).(api.MutableGlobal).Set(from.ExportedGlobal(g).Get())
	}
}
