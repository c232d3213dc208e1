package extism_test

import (
	"context"
	"flag"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/engine/extism"
	"github.com/wasmoor/wasmoor/host/internal/engine/linear"
)

// soak makes the long runs long.
var soak = flag.Bool("soak", false, "run the long versions of the tests")

func TestStopped(t *testing.T) {
	e := enginetest.InProcess(extism.New(capabilities.All(capabilities.Config{}).Extism(), linear.NewBudget(0)))
	t.Cleanup(func() { _ = e.Close(context.Background()) })
	enginetest.RunStopped(t, enginetest.ExtismABI, e, *soak)
}
