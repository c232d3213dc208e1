package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// ByABI is an engine made of one for each ABI. It is not changed once it is in
// use.
type ByABI map[string]Engine

var _ Engine = ByABI(nil)

// Prepare prepares a module with the engine of o.ABI. Errors are that engine's,
// and Invalid for an ABI without one.
func (b ByABI) Prepare(ctx context.Context, module []byte, o Options) (Program, error) {
	name := cmp.Or(o.ABI, abi.Module)
	e, ok := b[name]
	if !ok {
		return nil, fault.New(fault.Invalid, "prepare", fmt.Sprintf("this host runs no module of the ABI %q", name))
	}
	return e.Prepare(ctx, module, o)
}

// Close closes every engine.
func (b ByABI) Close(ctx context.Context) error {
	var errs []error
	for _, e := range b {
		errs = append(errs, e.Close(ctx))
	}
	return errors.Join(errs...)
}
