package native_test

import (
	"context"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/capability/wasi"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/engine/native"
)

func open(t testing.TB, cfg native.Config) *native.Engine {
	t.Helper()
	e, err := native.New(context.Background(), cfg)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return e
}

func TestEngine(t *testing.T) {
	enginetest.Run(t, func() engine.Engine { return open(t, native.Config{}) }, wasi.Functions()...)
}
