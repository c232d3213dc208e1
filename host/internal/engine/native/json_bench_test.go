package native

import (
	"context"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/engine/native/testdata/tripguest/trip"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/rewrite"
)

const trips = "github.com/wasmoor/wasmoor/host/internal/engine/native/testdata/tripguest"

// way is one that a request can go.
type way struct {
	name string
	call func() error
}

// jsonForms are pairs of functions of package trip, by their paths: one uses
// encoding/json, the other does the same with the SDK's jsontext.
var jsonForms = []struct{ std, sdk jsonForm }{
	{jsonForm{"map", trip.Map}, jsonForm{"value", trip.Value}},
	{jsonForm{"struct", trip.Struct}, jsonForm{"typed", trip.Typed}},
}

type jsonForm struct {
	name   string
	native func([]byte) ([]byte, error)
}

// BenchmarkJSONRoundTrip has an order of 130 bytes read, changed and written,
// once for each request, by ways that take turns, and reports how many pages of
// memory a clean request writes, and the median time of each way:
//
//	native   in the test itself
//	wazero   in the guest as it was built, run by wazero, in one instance
//	checked  the same with our interrupts
//	dirty    in the engine, in one instance that is not put back
//	clean    in the engine, put back after each request, and warmed up
//	cold     the same without a warm-up
//
// Those that begin with sdk- use the SDK's jsontext, the others encoding/json.
func BenchmarkJSONRoundTrip(b *testing.B) {
	module := goGuest(b, trips)
	withChecks := checked(b, module)
	for _, form := range jsonForms {
		b.Run(form.std.name, func(b *testing.B) {
			var ways []way
			pages := map[string]int{}
			for prefix, f := range map[string]jsonForm{"": form.std, "sdk-": form.sdk} {
				inv := orderFor("/" + f.name)
				warm := prepareGoGuest(b, trips, manifest.Warmup{Head: inv.Request.Head, Body: trip.Order})
				pages[prefix] = written(b, warm, inv)
				ways = append(ways,
					way{prefix + "native", func() error { _, err := f.native([]byte(trip.Order)); return err }},
					way{prefix + "wazero", plainWay(b, module, inv)},
					way{prefix + "checked", plainWay(b, withChecks, inv)},
					way{prefix + "dirty", engineWay(b, warm, inv, false)},
					way{prefix + "clean", engineWay(b, warm, inv, true)},
					way{prefix + "cold", engineWay(b, prepareGoGuest(b, trips), inv, true)},
				)
			}
			benchmarkTurns(b, 41, 1, ways)
			for prefix, n := range pages {
				b.ReportMetric(float64(n), prefix+"pages")
			}
		})
	}
}

// BenchmarkJSONLoop is the same a thousand times in each request, so that the
// guest's memory fills up and its collector runs.
func BenchmarkJSONLoop(b *testing.B) {
	const times = 1000
	module := goGuest(b, trips)
	for _, form := range jsonForms {
		b.Run(form.std.name, func(b *testing.B) {
			inv := orderFor("/" + form.std.name)
			warm := prepareGoGuest(b, trips, manifest.Warmup{Head: inv.Request.Head, Body: trip.Order})
			inv.Request.Head.Query = strconv.Itoa(times)
			benchmarkTurns(b, 9, times, []way{
				{"wazero", plainWay(b, module, inv)},
				{"checked", plainWay(b, checked(b, module), inv)},
				{"dirty", engineWay(b, warm, inv, false)},
				{"clean", engineWay(b, warm, inv, true)},
			})
		})
	}
}

func orderFor(path string) *invoke.Invocation {
	inv := enginetest.Invocation(trip.Order, nil, nil)
	inv.Request.Head.Path = path
	return inv
}

// benchmarkTurns times ways in so many turns of some milliseconds, and reports
// the medians for one of the times that a call does the same.
func benchmarkTurns(b *testing.B, rounds, times int, ways []way) {
	b.Helper()
	const turn = 3 * time.Millisecond
	for b.Loop() {
		took := make([][]float64, len(ways))
		for range rounds {
			for i, w := range ways {
				n, start := 0, time.Now()
				for time.Since(start) < turn {
					if err := w.call(); err != nil {
						b.Fatalf("%s: %v", w.name, err)
					}
					n++
				}
				took[i] = append(took[i], float64(time.Since(start).Nanoseconds())/float64(n*times)/1000)
			}
		}
		for i, w := range ways {
			slices.Sort(took[i])
			b.ReportMetric(took[i][rounds/2], w.name+"-µs")
		}
	}
	b.ReportMetric(0, "ns/op")
}

func checked(b *testing.B, module []byte) []byte {
	b.Helper()
	in, err := rewrite.Instrument(module)
	if err != nil {
		b.Fatal(err)
	}
	return in.Module
}

// engineWay runs inv in one instance.
func engineWay(b *testing.B, p engine.Program, inv *invoke.Invocation, clean bool) func() error {
	b.Helper()
	if why := p.Fresh() + p.Cold(); why != "" {
		b.Fatal(why)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	in, err := p.Instance(ctx)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = in.Close(ctx)
		cancel()
	})
	return func() error {
		inv.Begin(1, inv.Env.Limits, nil)
		err := in.Handle(ctx, inv)
		if clean && !in.Reset() {
			b.Fatal("the instance cannot be put back")
		}
		return err
	}
}

// plainWay runs inv in one instance of a module, with our host functions and
// nothing else of ours.
func plainWay(b *testing.B, module []byte, inv *invoke.Invocation) func() error {
	b.Helper()
	ctx := context.Background()
	r := wazero.NewRuntime(ctx)
	b.Cleanup(func() { _ = r.Close(ctx) })
	guest := &capability.Guest{Inv: inv}
	linkPlain(b, r, guest)
	m, err := r.InstantiateWithConfig(ctx, module, wazero.NewModuleConfig().WithName("").WithStartFunctions(abi.ExportInitialize))
	if err != nil {
		b.Fatal(err)
	}
	handle, stack := m.ExportedFunction(abi.ExportHandle), []uint64{0}
	return func() error {
		inv.Begin(1, inv.Env.Limits, nil)
		return handle.CallWithStack(ctx, stack)
	}
}

func linkPlain(b *testing.B, r wazero.Runtime, guest *capability.Guest) {
	b.Helper()
	hosts := map[string]wazero.HostModuleBuilder{rewrite.InterruptModule: r.NewHostModuleBuilder(rewrite.InterruptModule)}
	hosts[rewrite.InterruptModule].NewFunctionBuilder().
		WithGoFunction(api.GoFunc(func(context.Context, []uint64) {}), nil, nil).Export(rewrite.InterruptName)
	for _, f := range capabilities.All(capabilities.Config{}).Native() {
		if hosts[f.Module] == nil {
			hosts[f.Module] = r.NewHostModuleBuilder(f.Module)
		}
		call := func(ctx context.Context, m api.Module, stack []uint64) {
			guest.Mem, _ = m.Memory().Read(0, m.Memory().Size())
			result, err := f.Call(ctx, guest, stack)
			if err != nil {
				panic(err)
			}
			if len(f.Results) > 0 {
				stack[0] = result
			}
		}
		hosts[f.Module].NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(call), types(f.Params), types(f.Results)).Export(f.Name)
	}
	for _, host := range hosts {
		if _, err := host.Instantiate(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}

func types(list []abi.Type) (out []api.ValueType) {
	for _, t := range list {
		out = append(out, api.ValueType(t))
	}
	return out
}
