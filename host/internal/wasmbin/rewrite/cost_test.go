package rewrite

import (
	"context"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
)

// costGuest is a call that BenchmarkChecks makes. Its module is a package of ours
// to build, or a file of a module in Go's cache.
type costGuest struct {
	name, pkg, module, file, export string
	args                            []uint64
	input                           string
}

const (
	extismSDK = "github.com/extism/go-sdk"
	wazeroMod = "github.com/tetratelabs/wazero"
	caseFile  = "internal/integration_test/bench/testdata/case.wasm"
	jsonGuest = "github.com/wasmoor/wasmoor/host/internal/engine/native/testdata/jsonguest"
)

func costGuests() []costGuest {
	text := `{"method":"POST","path":"/v1/items","header":{"accept":"*/*"},"body":"` + strings.Repeat("x", 400) + `"}`
	return []costGuest{
		{name: "Go JSON", pkg: jsonGuest, export: abi.ExportHandle, input: text},
		{name: "Go hello", pkg: "github.com/wasmoor/wasmoor/examples/hello", export: abi.ExportHandle},
		{name: "Rust count_vowels 64 KiB", module: extismSDK, file: "wasm/count_vowels.wasm", export: "count_vowels", input: strings.Repeat("hello world ", 85*64)},
		{name: "TinyGo replace 64 KiB", module: extismSDK, file: "wasm/replace.wasm", export: "run_test", input: strings.Repeat("the quick brown fox jumps over a test ", 27*64)},
		{name: "TinyGo strings", module: wazeroMod, file: caseFile, export: "string_manipulation", args: []uint64{50}},
		{name: "TinyGo reverse", module: wazeroMod, file: caseFile, export: "reverse_array", args: []uint64{500}},
		{name: "TinyGo matrices", module: wazeroMod, file: caseFile, export: "random_mat_mul", args: []uint64{20}},
		{name: "TinyGo fib", module: wazeroMod, file: caseFile, export: "fibonacci", args: []uint64{20}},
	}
}

// BenchmarkChecks runs guests as they are and instrumented, in turns, and reports
// the median of how many times longer a turn with checks takes.
func BenchmarkChecks(b *testing.B) {
	for _, g := range costGuests() {
		b.Run(g.name, func(b *testing.B) {
			module := g.read(b)
			in, err := Instrument(module)
			if err != nil {
				b.Fatal(err)
			}
			plain, checked := g.start(b, module, module), g.start(b, module, in.Module)
			const rounds = 21
			n := callsIn(3*time.Millisecond, plain)
			for b.Loop() {
				ratios := make([]float64, rounds)
				for i := range ratios {
					base := timed(n, plain)
					ratios[i] = float64(timed(n, checked)) / float64(base)
				}
				slices.Sort(ratios)
				b.ReportMetric(ratios[rounds/2], "checked/plain")
			}
		})
	}
}

// callsIn returns how many calls take that long at least.
func callsIn(d time.Duration, call func()) int {
	n := 1
	for timed(n, call) < d {
		n *= 2
	}
	return n
}

func timed(n int, call func()) time.Duration {
	start := time.Now()
	for range n {
		call()
	}
	return time.Since(start)
}

func (g costGuest) read(b *testing.B) []byte {
	b.Helper()
	file := filepath.Join(b.TempDir(), "guest.wasm")
	if g.pkg != "" {
		build := exec.Command("go", "build", "-buildmode=c-shared", "-ldflags=-s -w", "-o", file, g.pkg)
		build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
		if out, err := build.CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
	} else {
		out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", g.module).Output()
		if err != nil {
			b.Fatal(err)
		}
		file = filepath.Join(strings.TrimSpace(string(out)), filepath.FromSlash(g.file))
	}
	module, err := os.ReadFile(file)
	if err != nil {
		b.Fatal(err)
	}
	return module
}

// start returns what calls the guest's export in an initialised instance of
// module, which is original or made of it.
func (g costGuest) start(b *testing.B, original, module []byte) func() {
	b.Helper()
	ctx := context.Background()
	r := wazero.NewRuntime(ctx)
	b.Cleanup(func() { r.Close(ctx) })
	addChecks(b, r, func() {})
	wasi_snapshot_preview1.MustInstantiate(ctx, r)
	h := &costHost{input: []byte(g.input), shared: make([]byte, 8<<20)}
	h.head = abi.AppendRequestHead(nil, &abi.RequestHead{Method: "POST", Path: "/", Host: "localhost", BodySize: uint64(len(g.input))})
	h.link(b, r, original)
	m, err := r.InstantiateWithConfig(ctx, module, wazero.NewModuleConfig().WithName("").WithStartFunctions())
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range []string{StartExport, abi.ExportInitialize} {
		if f := m.ExportedFunction(name); f != nil {
			if _, err := f.Call(ctx); err != nil {
				b.Fatal(err)
			}
		}
	}
	if f := m.ExportedFunction("_start"); f != nil {
		_, _ = f.Call(ctx) // TinyGo's ends by exiting
	}
	f := m.ExportedFunction(g.export)
	return func() {
		h.used = 8 // what the call before took is free again
		if _, err := f.Call(ctx, g.args...); err != nil {
			b.Fatal(err)
		}
	}
}

// costHost answers what guests import, as cheaply as it can.
type costHost struct {
	input, head []byte
	shared      []byte // memory of Extism's
	used        uint64 // of it
}

// link gives r the functions that a module imports. Those that are not known
// return 0.
func (h *costHost) link(b *testing.B, r wazero.Runtime, module []byte) {
	b.Helper()
	m, err := wasmbin.Read(module)
	if err != nil {
		b.Fatal(err)
	}
	hosts := map[string]wazero.HostModuleBuilder{}
	for _, i := range m.Imports {
		if i.Module == wasi_snapshot_preview1.ModuleName {
			continue
		}
		if hosts[i.Module] == nil {
			hosts[i.Module] = r.NewHostModuleBuilder(i.Module)
		}
		hosts[i.Module].NewFunctionBuilder().
			WithGoModuleFunction(h.function(i.Name), valueTypes(i.Type.Params), valueTypes(i.Type.Results)).Export(i.Name)
	}
	for _, host := range hosts {
		if _, err := host.Instantiate(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}

func (h *costHost) function(name string) api.GoModuleFunc {
	do := h.extism(name)
	if do == nil {
		do = func([]uint64) uint64 { return 0 }
	}
	return func(_ context.Context, m api.Module, s []uint64) {
		switch {
		case name == abi.FnRequestHead:
			m.Memory().Write(uint32(s[0]), h.head[:min(len(h.head), int(uint32(s[1])))])
			s[0] = uint64(len(h.head))
		case name == abi.FnRequestBody:
			rest := h.input[min(int(s[0]), len(h.input)):]
			rest = rest[:min(len(rest), int(uint32(s[2])))]
			m.Memory().Write(uint32(s[1]), rest)
			s[0] = uint64(len(rest))
		case len(s) > 0:
			s[0] = do(s)
		}
	}
}

// extism returns a function of Extism's kernel, or nil.
func (h *costHost) extism(name string) func(s []uint64) uint64 {
	le := binary.LittleEndian
	return map[string]func(s []uint64) uint64{
		"input_length":   func([]uint64) uint64 { return uint64(len(h.input)) },
		"input_load_u64": func(s []uint64) uint64 { return le.Uint64(h.input[s[0]:]) },
		"input_load_u8":  func(s []uint64) uint64 { return uint64(h.input[s[0]]) },
		"load_u64":       func(s []uint64) uint64 { return le.Uint64(h.shared[s[0]:]) },
		"load_u8":        func(s []uint64) uint64 { return uint64(h.shared[s[0]]) },
		"store_u64":      func(s []uint64) uint64 { le.PutUint64(h.shared[s[0]:], s[1]); return 0 },
		"store_u8":       func(s []uint64) uint64 { h.shared[s[0]] = byte(s[1]); return 0 },
		"alloc": func(s []uint64) uint64 {
			at := h.used
			h.used += s[0]
			return at
		},
	}[name]
}

func valueTypes(types []abi.Type) []api.ValueType {
	list := make([]api.ValueType, len(types))
	for i, t := range types {
		list[i] = api.ValueType(t) // both are the encodings of the binary format
	}
	return list
}
