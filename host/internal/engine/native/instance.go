package native

import (
	"context"
	"fmt"

	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/engine/machine"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
)

// program implements engine.Program.
type program struct{ *machine.Program }

// Instance implements engine.Program.
func (p program) Instance(ctx context.Context) (engine.Instance, error) {
	in, err := p.Program.Instance(ctx)
	if err != nil {
		return nil, err
	}
	return instance{in}, nil
}

// instance implements engine.Instance.
type instance struct{ *machine.Instance }

// Try implements engine.Instance.
func (in instance) Try(ctx context.Context, inv *invoke.Invocation) error {
	return in.Instance.Try(inv, func() error { return in.Handle(ctx, inv) })
}

// Handle implements engine.Instance.
func (in instance) Handle(ctx context.Context, inv *invoke.Invocation) error {
	result, err := in.Call(ctx, inv, 0)
	switch {
	case err != nil:
		return err
	case uint32(result) != 0:
		return in.Reported(fmt.Sprintf("the handler reported failure %d", int32(result)))
	}
	return nil
}
