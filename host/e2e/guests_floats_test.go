package e2e

import (
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

// TestFloats has the binary serve guests with more floats alive than there are
// registers: on amd64 the engine's compiler has some of these wrong.
func TestFloats(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	for seed, name := range map[uint64]string{5: "five", 17: "seventeen"} {
		module, want := enginetest.Floats(seed)
		s.deploy(name, pack(t, module, name))
		if got := s.get("/" + name + "/"); got.body != string(want) {
			t.Errorf("seed %d: got %x, want %x", seed, got.body, want)
		}
	}
}
