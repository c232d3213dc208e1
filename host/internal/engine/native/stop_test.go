package native_test

import (
	"flag"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/engine/native"
)

// soak makes the long runs long.
var soak = flag.Bool("soak", false, "run the long versions of the tests")

func TestStopped(t *testing.T) {
	enginetest.RunStopped(t, "", open(t, native.Config{Functions: capabilities.All(capabilities.Config{}).Native()}), *soak)
}
