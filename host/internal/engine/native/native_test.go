package native_test

import (
	"context"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/capability/wasi"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/engine/linear"
	"github.com/wasmoor/wasmoor/host/internal/engine/native"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// open returns an engine that is closed with the test, if not before.
func open(tb testing.TB, cfg native.Config) enginetest.Direct {
	tb.Helper()
	e := enginetest.InProcess(native.New(cfg))
	tb.Cleanup(func() { _ = e.Close(context.Background()) })
	return e
}

func TestEngine(t *testing.T) {
	enginetest.Run(t, func() enginetest.Direct {
		return open(t, native.Config{Functions: capabilities.All(capabilities.Config{}).Native()})
	}, wasi.Unit().Native...)
}

// TestBudget checks that instances share what the engine may take, and give it
// back.
func TestBudget(t *testing.T) {
	e := open(t, native.Config{Functions: capabilities.All(capabilities.Config{}).Native(), Memory: linear.NewBudget(3 * linear.PageSize / 2)})
	p := enginetest.Prepare(t, e, enginetest.Tiny())
	first, err := p.Instance(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Instance(t.Context()); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("an instance over the budget: %v, want unavailable", err)
	}
	if err := first.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 3 { // a refused one has taken nothing, a closed one has given back
		in, err := p.Instance(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := in.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
