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

func (initialising) Cold() string { return "" }

func (initialising) Close(context.Context) error { return nil }

type instance struct{}

func (instance) Handle(context.Context, *invoke.Invocation) error { return nil }

func (instance) Try(context.Context, *invoke.Invocation) error { return nil }

func (instance) Reset() bool { return true }

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
			_, err := engine.Probe(c.ctx, c.program.Instance, engine.Options{Start: time.Millisecond})
			if fault.CodeOf(err) != c.code {
				t.Fatalf("got %v, want code %q", err, c.code)
			}
			if err != nil && !strings.Contains(fault.MessageOf(err), c.says) {
				t.Errorf("%q does not say %q", fault.MessageOf(err), c.says)
			}
		})
	}
}

// chancy fails to handle a request that often, and then no more.
type chancy struct {
	instance
	failures int
	closed   *int
}

func (c *chancy) Try(context.Context, *invoke.Invocation) error {
	if c.failures--; c.failures >= 0 {
		return fault.New(fault.Trap, "", "by chance")
	}
	return nil
}

func (c *chancy) Close(context.Context) error {
	*c.closed++
	return nil
}

// TestProbeLeavesChanceAlone: a guest can draw numbers without asking for them,
// so that one failure says nothing of the next request.
func TestProbeLeavesChanceAlone(t *testing.T) {
	for failures, code := range map[int]fault.Code{0: "", 1: "", 7: "", 8: fault.Trap, 100: fault.Trap} {
		closed := 0
		in, err := engine.Probe(t.Context(), func(context.Context) (engine.Instance, error) {
			return &chancy{failures: failures, closed: &closed}, nil
		}, engine.Options{Start: time.Hour})
		if fault.CodeOf(err) != code || (in == nil) != (err != nil) || closed != 0 && err == nil || closed != 1 && err != nil {
			t.Errorf("after %d failures: %v, %v, %d closed, want code %q", failures, in, err, closed, code)
		}
	}
}
