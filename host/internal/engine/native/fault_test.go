package native_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/capability/wasi"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/engine/native"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// broken are host functions with a bug.
func broken() []capability.Func {
	function := func(name string, call capability.Call) capability.Func {
		return capability.Func{Module: "broken", Name: name, Results: []abi.Type{abi.I64}, Call: call}
	}
	return []capability.Func{
		function("panic", func(context.Context, *capability.Guest, []uint64) (uint64, error) {
			panic("a secret of the host")
		}),
		function("index", func(_ context.Context, g *capability.Guest, _ []uint64) (uint64, error) {
			return uint64(g.Mem[len(g.Mem)]), nil
		}),
		function("error", func(context.Context, *capability.Guest, []uint64) (uint64, error) {
			return 0, errors.New("a secret of the host")
		}),
	}
}

func TestHostFunctionFails(t *testing.T) {
	e := open(t, native.Config{Functions: slices.Concat(capabilities.All(capabilities.Config{}).Native(), broken())})
	healthy := enginetest.Prepare(t, e, enginetest.Tiny())
	for _, f := range broken() {
		t.Run(f.Name, func(t *testing.T) {
			p := enginetest.Prepare(t, e, enginetest.CallerOf("broken", f.Name, nil, f.Results))
			err := enginetest.Handle(context.Background(), p, enginetest.Invocation("", nil, nil))
			if got := fault.CodeOf(err); got != fault.Internal {
				t.Fatalf("got code %q (%v), want %q", got, err, fault.Internal)
			}
			if got, want := fault.MessageOf(err), "host function broken."+f.Name+" failed"; got != want {
				t.Errorf("message: got %q, want %q", got, want)
			}
			if f.Name != "error" && !strings.Contains(err.Error(), "goroutine") {
				t.Errorf("error for the operator holds no stack: %v", err)
			}
			inv := enginetest.Invocation("", nil, nil)
			if err := enginetest.Handle(context.Background(), healthy, inv); err != nil || string(inv.Reply.Body) != "hello" {
				t.Errorf("another guest afterwards: got %q, %v", inv.Reply.Body, err)
			}
		})
	}
}

func TestOutputBecomesLogLines(t *testing.T) {
	e := open(t, native.Config{Functions: capabilities.All(capabilities.Config{}).Native()})
	b := enginetest.NewBuilder(1)
	write := b.Import(wasi.Module, "fd_write", []abi.Type{abi.I32, abi.I32, abi.I32, abi.I32}, []abi.Type{abi.I32})
	code := new(enginetest.Code)
	for _, fd := range []uint32{1, 2} {
		code.I32(fd).I32(64).I32(1).I32(32).Call(write).Drop()
	}
	module := b.Data(64, "\x80\x00\x00\x00\x0a\x00\x00\x00").Data(128, "one\ntwo\nth").
		Handle(code.Unreachable()).Bytes()

	var text bytes.Buffer
	log := slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}))
	err := enginetest.Handle(context.Background(), enginetest.Prepare(t, e, module), enginetest.Invocation("", nil, log))
	if fault.CodeOf(err) != fault.Trap {
		t.Fatalf("Handle: %v", err)
	}
	want := `level=INFO msg=one request_id=request-1
level=INFO msg=two request_id=request-1
level=WARN msg=one request_id=request-1
level=WARN msg=two request_id=request-1
level=INFO msg=th request_id=request-1
level=WARN msg=th request_id=request-1
`
	if diff := cmp.Diff(want, text.String()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

// TestInitialisationSaysWhy checks that whoever deploys is told what a guest
// wrote before it gave up. Package server keeps a trap's message from clients.
func TestInitialisationSaysWhy(t *testing.T) {
	e := open(t, native.Config{Functions: capabilities.All(capabilities.Config{}).Native()})
	b := enginetest.NewBuilder(1)
	write := b.Import(wasi.Module, "fd_write", []abi.Type{abi.I32, abi.I32, abi.I32, abi.I32}, []abi.Type{abi.I32})
	code := new(enginetest.Code).I32(2).I32(64).I32(1).I32(32).Call(write).Drop().Unreachable()
	b.Func(abi.ExportInitialize, nil, nil, 0, code)
	module := b.Data(64, "\x80\x00\x00\x00\x0f\x00\x00\x00").Data(128, "no clock, sorry").
		Handle(new(enginetest.Code).I32(0)).Bytes()

	_, err := e.Prepare(t.Context(), module, engine.Options{Memory: enginetest.Memory})
	if fault.CodeOf(err) != fault.Trap {
		t.Fatalf("Prepare: %v", err)
	}
	if got := fault.MessageOf(err); !strings.Contains(got, "no clock, sorry") {
		t.Errorf("message does not say what the guest wrote: %q", got)
	}
}

// TestWASIIsWhole compares our functions with those of wazero's WASI.
func TestWASIIsWhole(t *testing.T) {
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter())
	defer func() { _ = r.Close(ctx) }()
	wasi_snapshot_preview1.MustInstantiate(ctx, r)
	want := map[string]string{}
	for name, f := range r.Module(wasi.Module).ExportedFunctionDefinitions() {
		want[name] = typeNames(f.ParamTypes()) + "->" + typeNames(f.ResultTypes())
	}
	got := map[string]string{}
	for _, f := range wasi.Unit().Native {
		got[f.Name] = typeNames(f.Params) + "->" + typeNames(f.Results)
	}
	if !maps.Equal(got, want) {
		t.Errorf("functions (-want +got):\n%s", cmp.Diff(want, got))
	}
}

func typeNames[T ~byte](types []T) string {
	var names []string
	for _, t := range types {
		names = append(names, api.ValueTypeName(api.ValueType(t)))
	}
	return strings.Join(names, ",")
}

// TestFunctionsAreTheABI checks that the list of capabilities is whole.
func TestFunctionsAreTheABI(t *testing.T) {
	got := map[string]int{}
	for _, f := range capabilities.All(capabilities.Config{}).Native() {
		if f.Module == abi.Module {
			got[f.Name]++
		}
	}
	want := map[string]int{}
	for _, f := range abi.Functions() {
		want[f.Name] = 1
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("host functions (-want +got):\n%s", diff)
	}
}
