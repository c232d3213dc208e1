package prepare

import (
	"context"
	"errors"
	"testing"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// empty is an engine that does nothing and says so.
type empty struct {
	engine.Engine
	name string
}

func (n empty) Close(context.Context) error { return errors.New(n.name) }

func TestEngines(t *testing.T) {
	engines := Engines{abi.Module: empty{name: "native"}, "other": empty{name: "other"}}
	for name, want := range map[string]string{"": "native", abi.Module: "native", "other": "other"} {
		if e, err := engines.of(engine.Options{ABI: name}); err != nil || e.(empty).name != want {
			t.Errorf("ABI %q: got %v, %v, want the engine %s", name, e, err, want)
		}
	}
	if _, err := engines.of(engine.Options{ABI: "unknown"}); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("an unknown ABI: got %v, want %s", err, fault.Invalid)
	}
	if err := engines.Close(t.Context()); err == nil {
		t.Error("Close lost the engines' errors")
	}
}
