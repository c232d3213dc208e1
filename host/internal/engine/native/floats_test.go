package native_test

import (
	"bytes"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/engine/native"
)

// TestFloats: guests with more floats alive than there are registers answer what
// they should. Without what wasmbin writes out, some do not on amd64.
func TestFloats(t *testing.T) {
	e := open(t, native.Config{Functions: capabilities.All(capabilities.Config{}).Native()})
	for seed := range uint64(20) {
		module, want := enginetest.Floats(seed)
		inv := enginetest.Invocation("", nil, nil)
		if err := enginetest.Handle(t.Context(), enginetest.Prepare(t, e, module), inv); err != nil {
			t.Fatal(err)
		}
		if got := inv.Reply.Body; !bytes.Equal(got, want) {
			t.Errorf("seed %d: got %x, want %x", seed, got, want)
		}
	}
}
