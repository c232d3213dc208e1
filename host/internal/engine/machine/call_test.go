package machine

import (
	"context"
	"testing"

	"github.com/tetratelabs/wazero"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/engine/linear"
)

// TestNarrowParameters has a guest give a host function what i32.load8_s and
// i64.load8_s read of a byte of 0x80.
func TestNarrowParameters(t *testing.T) {
	var got []uint64
	take := capability.Func{
		Module: "env", Name: "take", Params: []abi.Type{abi.I32, abi.I64},
		Call: func(_ context.Context, _ *capability.Guest, args []uint64) (uint64, error) {
			got = append(got, args...)
			return 0, nil
		},
	}
	r := wazero.NewRuntimeWithConfig(t.Context(), compiling())
	defer func() { _ = r.Close(context.Background()) }()
	if err := link(t.Context(), r, []capability.Func{take}); err != nil {
		t.Fatal(err)
	}
	guest := "\x00asm\x01\x00\x00\x00\x01\x09\x02\x60\x02\x7f\x7e\x00\x60\x00\x00\x02\x0c\x01\x03env\x04take\x00\x00" +
		"\x03\x02\x01\x01\x05\x03\x01\x00\x01\x07\x05\x01\x01f\x00\x01" +
		"\x0a\x10\x01\x0e\x00\x41\x00\x2c\x00\x00\x41\x00\x30\x00\x00\x10\x00\x0b\x0b\x07\x01\x00\x41\x00\x0b\x01\x80"
	m, err := r.InstantiateWithConfig(t.Context(), []byte(guest), wazero.NewModuleConfig())
	if err != nil {
		t.Fatal(err)
	}
	c := &call{Context: t.Context(), guest: &capability.Guest{}, memory: &linear.Memory{}}
	if _, err := m.ExportedFunction("f").Call(c); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0] != 0xffffff80 || got[1] != 1<<64-0x80 {
		t.Errorf("the function got %#x", got)
	}
}
