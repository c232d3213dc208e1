package prepare

import (
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/engine"
)

// TestAnotherBinaryOrProcessorBuildsAnew: an artefact, which another rewriter or
// compiler may have got wrong, is looked for by the program and the processor that
// it was built with, by a server and by wasmoor precompile.
func TestAnotherBinaryOrProcessorBuildsAnew(t *testing.T) {
	seen := map[string]string{}
	for name, p := range map[string]*Pipeline{
		"one":               {identity: "a", machine: "m"},
		"another binary":    {identity: "b", machine: "m"},
		"another processor": {identity: "a", machine: "n"},
	} {
		key, err := p.key("digest", engine.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[key]; ok {
			t.Errorf("%s and %s have the same key", name, other)
		}
		seen[key] = name
	}
	if a, err := identify(); err != nil || len(a) != 64 {
		t.Errorf("the program is identified as %q, %v, and not by a digest", a, err)
	}
}
