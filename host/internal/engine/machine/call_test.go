package machine

import (
	"context"
	"testing"

	"github.com/tetratelabs/wazero"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/engine/linear"
)

// TestNarrowParameters has a guest give a host function an i32 where it gave
// another one an i64 before.
func TestNarrowParameters(t *testing.T) {
	var got []uint64
	take := func(name string, params ...abi.Type) capability.Func {
		return capability.Func{
			Module: "env", Name: name, Params: params,
			Call: func(_ context.Context, _ *capability.Guest, args []uint64) (uint64, error) {
				got = append(got, args...)
				return 0, nil
			},
		}
	}
	r := wazero.NewRuntimeWithConfig(t.Context(), compiling())
	defer func() { _ = r.Close(context.Background()) }()
	if err := link(t.Context(), r, []capability.Func{take("w", abi.I64), take("n", abi.I32)}); err != nil {
		t.Fatal(err)
	}
	guest := "\x00asm\x01\x00\x00\x00\x01\x0c\x03\x60\x01\x7e\x00\x60\x01\x7f\x00\x60\x00\x00" +
		"\x02\x11\x02\x03env\x01w\x00\x00\x03env\x01n\x00\x01\x03\x02\x01\x02\x07\x05\x01\x01f\x00\x02" +
		"\x0a\x0c\x01\x0a\x00\x42\x7f\x10\x00\x41\x01\x10\x01\x0b"
	m, err := r.InstantiateWithConfig(t.Context(), []byte(guest), wazero.NewModuleConfig())
	if err != nil {
		t.Fatal(err)
	}
	c := &call{Context: t.Context(), guest: &capability.Guest{}, memory: &linear.Memory{}}
	if _, err := m.ExportedFunction("f").Call(c); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0] != 1<<64-1 || got[1] != 1 {
		t.Errorf("the functions got %#x", got)
	}
}
