package rewrite

import (
	"context"
	"slices"
	"testing"

	"github.com/tetratelabs/wazero"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/format"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/lower"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/wasmbintest"
)

// addModules adds the seeds of both targets.
func addModules(f *testing.F) {
	f.Helper()
	whole := guest()
	f.Add([]byte(whole))
	f.Add([]byte(whole[:len(whole)/2]))
	f.Add([]byte(header))
	f.Add([]byte(module([]string{i32 + "\x01" + zero, i64 + "\x01\x42\x07\x0b"}, code)))
	f.Add([]byte(module(nil, function("\x03\x40\x02\x40\x02\x40\x20\x00\x0e\x01\x00\x01\x0b\x41\x01\x21\x00\x0c\x01\x0b\x0b"))))
	f.Add([]byte(module(nil, function("\x41\x00\x41\x00\x41\x80\x80\x04\xfc\x0a\x00\x00\x41\x00\x41\x00\x41\x01\xfc\x0b\x00"))))
	f.Add([]byte(module(nil, function("\x41\x01\x04\x40\x10\x01\x05\x03\x40\x41\x01\x0d\x00\x0b\x0b"), code)))
	f.Add([]byte(module(nil, code) + section(format.IDCustom, text("name"), "\x01"+text(vec(u(0)+text("f"))))))
	for seed := range uint64(8) {
		f.Add(randomModule(seed))
		f.Add(randomProgram(seed))
	}
	// What is just within a cap is over it with checks, and wazero itself does
	// not survive some custom sections.
	wasmbintest.AddHostile(f, func(family string, b []byte) bool {
		return len(b) <= 4<<10 && !slices.Contains([]string{"control flow", "body", "locals and types", "custom section"}, family)
	})
}

// accepted reports whether wazero takes a module. The interpreter's compiler does
// for it what the other's does, faster.
func accepted(t *testing.T, b []byte) bool {
	t.Helper()
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(features))
	defer r.Close(ctx)
	_, err := r.CompileModule(ctx, b)
	return err == nil
}

// FuzzInstrument: what is taken is not much longer, and a module that wazero
// accepts is one that it accepts instrumented.
func FuzzInstrument(f *testing.F) {
	addModules(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, arch := range []string{"", lower.AMD64, lower.ARM64} {
			checkInstrumented(t, b, arch)
		}
	})
}

func checkInstrumented(t *testing.T, b []byte, arch string) {
	t.Helper()
	in, err := instrument(b, rules{fuel: fuelPerCheck, arch: arch})
	if err != nil {
		if fault.CodeOf(err) != fault.Invalid {
			t.Fatalf("%v has the code %s", err, fault.CodeOf(err))
		}
		return
	}
	if len(in.Module) > 32*len(b)+64<<10 {
		t.Fatalf("%d bytes become %d", len(b), len(in.Module))
	}
	if _, err := wasmbin.Walk(in.Module, nil); err != nil {
		t.Fatalf("what Instrument wrote cannot be read: %v", err)
	}
	if accepted(t, b) && !accepted(t, in.Module) {
		t.Fatal("the module is accepted, and instrumented it is not")
	}
}

// FuzzSnapshot: a snapshot of a module that wazero accepts is accepted.
func FuzzSnapshot(f *testing.F) {
	addModules(f)
	for seed := range uint64(8) {
		if in, err := Instrument(randomModule(seed)); err == nil {
			f.Add(in.Module)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if out, err := Snapshot(b, 1, make([]uint64, 3)); err != nil && fault.CodeOf(err) != fault.Invalid || len(out) > len(b)+64 {
			t.Fatalf("%d bytes become %d, with %v", len(b), len(out), err)
		}
		in, err := Instrument(b)
		if err != nil || in.Fresh != "" {
			return
		}
		checkSnapshot(t, in)
	})
}

func checkSnapshot(t *testing.T, in *Instrumented) {
	t.Helper()
	m, err := wasmbin.Walk(in.Module, nil)
	if err != nil {
		t.Fatal(err)
	}
	var pages uint32
	if in.MaxPages > 0 {
		pages = min(m.Memories[0].Min+1, format.MaxPages)
	}
	out, err := Snapshot(in.Module, pages, make([]uint64, len(in.Globals)))
	if err != nil {
		t.Fatalf("no snapshot of what Instrument wrote: %v", err)
	}
	if len(out) > len(in.Module)+16*len(in.Globals)+16 {
		t.Fatalf("%d bytes become %d", len(in.Module), len(out))
	}
	if accepted(t, in.Module) && !accepted(t, out) {
		t.Fatal("the module is accepted, and its snapshot is not")
	}
}
