package extism

import (
	"context"
	"errors"
	"fmt"

	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/engine/machine"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
)

// instance implements engine.Instance.
type instance struct{ *machine.Instance }

func (in instance) state() *state { return in.Guest.State.(*state) }

// Try implements engine.Instance.
func (in instance) Try(ctx context.Context, inv *invoke.Invocation) error {
	return in.Instance.Try(inv, func() error { return in.Handle(ctx, inv) })
}

// Handle implements engine.Instance: it calls the export of the route that
// matched.
func (in instance) Handle(ctx context.Context, inv *invoke.Invocation) error {
	s := in.state()
	r, ok := s.routes[inv.Request.Head.Pattern]
	if !ok {
		return fault.New(fault.Internal, "handle", fmt.Sprintf("no route %q", inv.Request.Head.Pattern))
	}
	body, done, err := s.body(inv)
	if err != nil {
		return err
	}
	defer done()
	defer s.end()
	s.input = r.input(inv, body)
	if err := in.call(ctx, inv, r.index); err != nil {
		return err
	}
	return r.reply(inv, s.output())
}

// call calls an export. A command ends by exiting, and all is well if its code
// is 0.
func (in instance) call(ctx context.Context, inv *invoke.Invocation, index int) error {
	s := in.state()
	code, err := in.Call(ctx, inv, index)
	if errors.Is(err, capability.ErrExit) && s.exit == 0 {
		code, err = 0, nil
	}
	if err != nil {
		return err
	}
	message := s.text(s.errorAt)
	switch {
	case message != "":
		return in.Reported(fmt.Sprintf("the plugin failed: %q", invoke.Cut(message, maxReason)))
	case uint32(code) != 0:
		return in.Reported(fmt.Sprintf("the plugin reported failure %d", int32(code)))
	}
	return nil
}

// maxReason bounds what of a plugin's error is kept.
const maxReason = 1 << 10

// Reset implements engine.Instance.
func (in instance) Reset() bool {
	in.state().reset()
	return in.Instance.Reset()
}

// Trim implements engine.Instance.
func (in instance) Trim() {
	in.state().arena.trim()
	in.Instance.Trim()
}

// Close implements engine.Instance.
func (in instance) Close(ctx context.Context) error {
	in.state().arena.drop()
	return in.Instance.Close(ctx)
}
