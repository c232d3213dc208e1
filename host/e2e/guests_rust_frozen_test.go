//go:build rustguest

package e2e

import "testing"

// TestRustFrozen has a guest in Rust make a hasher with random keys. It needs a
// rustc with the target wasm32-wasi and its linker: RUSTC and LLD name those that
// are not in PATH or have other names.
func TestRustFrozen(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir(), "--log-level", "error")
	s.differs(t, "testdata/frozen/rust", "frozen-rust", 100, "random bytes")
}
