package engine_test

import (
	"context"
	"errors"
	"testing"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// named is an engine that prepares nothing and says so.
type named string

func (n named) Prepare(context.Context, []byte, engine.Options) (engine.Program, error) {
	return nil, errors.New(string(n))
}

func (n named) Close(context.Context) error { return errors.New(string(n)) }

func TestByABI(t *testing.T) {
	e := engine.ByABI{abi.Module: named("native"), "other": named("other")}
	for name, want := range map[string]string{"": "native", abi.Module: "native", "other": "other"} {
		if _, err := e.Prepare(context.Background(), nil, engine.Options{ABI: name}); err == nil || err.Error() != want {
			t.Errorf("ABI %q: got %v, want the engine %s", name, err, want)
		}
	}
	if _, err := e.Prepare(context.Background(), nil, engine.Options{ABI: "unknown"}); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("an unknown ABI: got %v, want %s", err, fault.Invalid)
	}
	if err := e.Close(context.Background()); err == nil {
		t.Error("Close lost the engines' errors")
	}
}
