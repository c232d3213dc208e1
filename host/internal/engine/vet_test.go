package engine_test

import (
	"context"
	"slices"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// counted is a program that counts how often it is closed.
type counted struct {
	initialising
	closed *int
}

func (counted) Fresh() string { return "it writes to a table" }

func (c counted) Close(context.Context) error { *c.closed++; return nil }

func TestVet(t *testing.T) {
	trap := fault.New(fault.Trap, "", "it trapped")
	for _, c := range []struct {
		name     string
		prepare  error // what preparing ends with
		start    error // what making an instance ends with
		stateful bool
		steps    []string
		notices  int
		closed   int // before the candidate is closed
	}{
		{"serves", nil, nil, false, []string{"prepare", "probe"}, 1, 0},
		{"keeps its state", nil, nil, true, []string{"prepare", "probe"}, 0, 0},
		{"is not prepared", trap, nil, false, []string{"prepare"}, 0, 0},
		{"does not start", nil, trap, false, []string{"prepare", "probe"}, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var steps []string
			closed := 0
			got, err := engine.Vet(t.Context(), nil, engine.Options{}, engine.Vetting{
				Prepare: func(context.Context, []byte, engine.Options) (engine.Program, error) {
					return counted{func(context.Context) error { return c.start }, &closed}, c.prepare
				},
				Step:     func(name string, run func() error) error { steps = append(steps, name); return run() },
				Stateful: c.stateful,
			})
			if failed := c.prepare != nil || c.start != nil; failed != (err != nil) || failed && fault.CodeOf(err) != fault.Trap {
				t.Fatalf("error %v", err)
			}
			if !slices.Equal(steps, c.steps) || closed != c.closed {
				t.Errorf("steps %v and %d times closed, want %v and %d", steps, closed, c.steps, c.closed)
			}
			if err != nil {
				return
			}
			if len(got.Notices) != c.notices {
				t.Errorf("notices %q, want %d", got.Notices, c.notices)
			}
			if err := got.Close(t.Context(), nil); err != nil || closed != 1 {
				t.Errorf("Close = %v, with %d times closed", err, closed)
			}
		})
	}
}
