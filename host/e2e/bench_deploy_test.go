package e2e

import (
	"fmt"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

// BenchmarkFirstAnswer is the time from the start of an upload to the plugin's
// first answer. Each upload is a module that the server has not seen, or one
// whose machine code it has from another name.
func BenchmarkFirstAnswer(b *testing.B) {
	s := serve(b, b.TempDir(), "--log-level", "warn")
	hello := goGuest(b, "../../examples/hello")
	count := 0
	first := func(b *testing.B, module func(name string) []byte) {
		for b.Loop() {
			b.StopTimer()
			count++
			name := fmt.Sprintf("p%d", count)
			packed := module(name)
			b.StartTimer()
			s.deploy(name, packed)
			if a := s.get("/" + name + "/"); a.status != 200 {
				b.Fatal(a)
			}
		}
	}
	b.Run("tiny", func(b *testing.B) {
		first(b, func(name string) []byte { return pack(b, enginetest.Version(name), name) })
	})
	b.Run("go", func(b *testing.B) {
		first(b, func(name string) []byte { return pack(b, hello, name) })
	})
	b.Run("go-cached", func(b *testing.B) {
		seen := pack(b, hello, "seen")
		s.deploy("seen", seen)
		first(b, func(string) []byte { return seen })
	})
}
