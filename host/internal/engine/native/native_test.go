package native_test

import (
	"context"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/capability/wasi"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/engine/native"
)

// open returns an engine that is closed with the test, if not before.
func open(tb testing.TB, cfg native.Config) *native.Engine {
	tb.Helper()
	e, err := native.New(context.Background(), cfg)
	if err != nil {
		tb.Fatalf("New: %v", err)
	}
	tb.Cleanup(func() { _ = e.Close(context.Background()) })
	return e
}

func TestEngine(t *testing.T) {
	enginetest.Run(t, func() engine.Engine { return open(t, native.Config{}) }, wasi.Functions()...)
}
