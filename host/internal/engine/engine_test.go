package engine_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
)

// initialising is a program whose instances take what its function takes.
type initialising func(ctx context.Context) error

func (p initialising) Instance(ctx context.Context) (engine.Instance, error) {
	if err := p(ctx); err != nil {
		return nil, err
	}
	return instance{}, nil
}

func (initialising) Fresh() string { return "" }

func (initialising) Close(context.Context) error { return nil }

type instance struct{}

func (instance) Handle(context.Context, *invoke.Invocation) error { return nil }

func (instance) Reset() bool { return false }

func (instance) Trim() {}

func (instance) Close(ctx context.Context) error { return ctx.Err() }

func forever(ctx context.Context) error {
	<-ctx.Done()
	return fault.New(fault.Deadline, "initialise", "the guest ran out of time")
}

func TestProbe(t *testing.T) {
	given, giveUp := context.WithCancel(t.Context())
	giveUp()
	for _, c := range []struct {
		name    string
		ctx     context.Context
		program initialising
		code    fault.Code
		says    string
	}{
		{"fine", t.Context(), func(context.Context) error { return nil }, "", ""},
		{"too slow", t.Context(), forever, fault.Deadline, "limits.deadline"},
		{"given up by the caller", given, forever, fault.Deadline, "ran out of time"},
		{"trap", t.Context(), func(context.Context) error { return fault.New(fault.Trap, "", "it trapped") }, fault.Trap, "it trapped"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := engine.Probe(c.ctx, c.program.Instance, time.Millisecond)
			if fault.CodeOf(err) != c.code {
				t.Fatalf("got %v, want code %q", err, c.code)
			}
			if err != nil && !strings.Contains(fault.MessageOf(err), c.says) {
				t.Errorf("%q does not say %q", fault.MessageOf(err), c.says)
			}
		})
	}
}
