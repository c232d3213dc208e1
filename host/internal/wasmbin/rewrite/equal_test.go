package rewrite

import (
	"bytes"
	"context"
	"flag"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/lower"
)

// soak makes the long runs long.
var (
	soak = flag.Bool("soak", false, "run the long versions of the tests")
	seed = flag.Uint64("seed", 1, "where the long versions start")
)

// TestRandomModules runs random modules as they are, instrumented, and put back
// from snapshots, and has them agree on results, traps, globals and memory.
func TestRandomModules(t *testing.T) {
	first, n := uint64(0), uint64(500)
	if *soak {
		first, n = *seed<<32, 10_000
	}
	var sum struct{ calls, traps, checks int }
	for s := first; s < first+n; s++ {
		c := &comparison{T: t, seed: s, module: randomModule(s)}
		c.run()
		sum.calls += c.calls
		sum.traps += c.traps
		sum.checks += c.checks
		if t.Failed() {
			t.Fatalf("seed %d", s)
		}
	}
	t.Logf("%+v", sum)
	if sum.calls < int(n)*4 || sum.traps > sum.calls/2 || sum.traps == 0 || sum.checks < sum.calls {
		t.Errorf("%d modules: %+v; the generator shows too little", n, sum)
	}
}

// comparison runs one module in several ways.
type comparison struct {
	*testing.T
	seed                 uint64
	module               []byte
	in                   *Instrumented
	calls, traps, checks int
}

func (c *comparison) run() {
	ctx := context.Background()
	r := wazero.NewRuntime(ctx)
	defer r.Close(ctx)
	addChecks(c, r, func() { c.checks++ })
	var err error
	if c.in, err = instrument(c.module, rules{fuel: 200, keepLimits: true, arch: lower.AMD64}); err != nil || c.in.Fresh != "" {
		c.Fatalf("seed %d: %v, %+v", c.seed, err, c.in)
	}
	plain, err := r.InstantiateWithConfig(ctx, c.module, wazero.NewModuleConfig().WithName(""))
	checked := instantiate(c, r, c.in.Module)
	if _, started := checked.ExportedFunction(StartExport).Call(ctx); outcome(nil, started) != startOutcome(err) {
		c.Errorf("started with %v, want %v", started, err)
	}
	if err != nil {
		return
	}
	restored := c.restore(r, checked)
	c.compare(plain, checked, restored)
	c.same("at the start", plain, c.restore(r, checked), "restored again")
	c.compare(plain, checked, c.restore(r, checked))
}

// startOutcome is the outcome of a start function that instantiation ran.
func startOutcome(err error) string {
	if err == nil {
		return outcome(nil, nil)
	}
	_, text, _ := strings.Cut(err.Error(), "failed: ")
	first, _, _ := strings.Cut(text, "\n")
	return first
}

// restore returns a new instance that stands where m does.
func (c *comparison) restore(r wazero.Runtime, m api.Module) api.Module {
	image, globals := stateOf(m, c.in)
	b, err := Snapshot(c.in.Module, uint32(len(image)/wasmbin.PageSize), globals)
	if err != nil {
		c.Fatalf("seed %d: %v", c.seed, err)
	}
	out := instantiate(c, r, b)
	out.Memory().Write(0, image)
	return out
}

// compare calls every function in all instances, with the same arguments.
func (c *comparison) compare(plain, checked, restored api.Module) {
	random := rand.New(rand.NewPCG(c.seed, 2))
	for i := 0; ; i++ {
		name := "f" + string(rune('a'+i))
		f := plain.ExportedFunction(name)
		if f == nil {
			return
		}
		args := make([]uint64, len(f.Definition().ParamTypes()))
		for i, t := range f.Definition().ParamTypes() {
			if args[i] = random.Uint64() >> random.IntN(64); abi32(t) {
				args[i] = uint64(uint32(args[i]))
			}
		}
		want := c.call(plain, name, args)
		for what, m := range map[string]api.Module{"instrumented": checked, "restored": restored} {
			if got := c.call(m, name, args); got != want {
				c.Errorf("%s%#x: %s gives %s, want %s", name, args, what, got, want)
			}
			c.same(name, plain, m, what)
		}
		c.calls++
		if !strings.HasPrefix(want, "[") {
			c.traps++
		}
	}
}

func abi32(t api.ValueType) bool { return t == api.ValueTypeI32 || t == api.ValueTypeF32 }

// call gives the function a new budget and says how it went.
func (c *comparison) call(m api.Module, name string, args []uint64) string {
	m.ExportedGlobal("ga").(api.MutableGlobal).Set(budget)
	return outcome(m.ExportedFunction(name).Call(context.Background(), args...))
}

// same compares globals and memory.
func (c *comparison) same(where string, want, got api.Module, what string) {
	for i := 0; ; i++ {
		name := "g" + string(rune('a'+i))
		g := want.ExportedGlobal(name)
		if g == nil {
			break
		}
		if a, b := g.Get(), got.ExportedGlobal(name).Get(); a != b {
			c.Errorf("%s: global %s of %s is %#x, want %#x", where, name, what, b, a)
		}
	}
	a, _ := want.Memory().Read(0, want.Memory().Size())
	b, _ := got.Memory().Read(0, got.Memory().Size())
	if !bytes.Equal(a, b) {
		c.Errorf("%s: the memory of %s is another one", where, what)
	}
}
