package prepare

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Engines are those of a host, by the ABI whose modules they run.
type Engines map[string]engine.Engine

// of returns the engine of o.ABI. Errors are Invalid.
func (e Engines) of(o engine.Options) (engine.Engine, error) {
	name := cmp.Or(o.ABI, abi.Module)
	if own, ok := e[name]; ok {
		return own, nil
	}
	return nil, fault.New(fault.Invalid, "prepare", fmt.Sprintf("this host runs no module of the ABI %q", name))
}

// Close closes every engine.
func (e Engines) Close(ctx context.Context) error {
	var errs []error
	for _, own := range e {
		errs = append(errs, own.Close(ctx))
	}
	return errors.Join(errs...)
}
