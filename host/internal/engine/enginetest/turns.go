package enginetest

import (
	"context"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/runq"
)

func testTurns(t *testing.T, e Direct) {
	for name, module := range map[string][]byte{
		"loop": Loop(), "loop of host calls": Spin(""), "sleep": Sleep(""),
	} {
		t.Run(name, func(t *testing.T) {
			program := Prepare(t, e, module)
			Turns(t, func(ctx context.Context) error { return Handle(ctx, program, Invocation("600000", nil, nil)) })
		})
	}
}

// Turns wants other plugins to have their turns while a guest runs that does not
// end, and the guest to go on afterwards. handle runs it until the end of ctx.
func Turns(t *testing.T, handle func(ctx context.Context) error) {
	t.Helper()
	q := runq.New(1)
	var its, other runq.Turn
	its.Begin(q.NewLine())
	other.Begin(q.NewLine())
	if err := its.Take(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), runq.Key{}, &its))
	ended := make(chan error, 1)
	go func() {
		err := handle(ctx)
		its.End()
		ended <- err
	}()
	for range 4 {
		if err := other.Take(t.Context()); err != nil {
			t.Error(err)
		}
		other.End()
	}
	cancel()
	if err := <-ended; fault.CodeOf(err) != fault.Deadline {
		t.Errorf("the guest ends with %v", err)
	}
	if err := other.Take(t.Context()); err != nil {
		t.Error(err)
	}
	other.End()
}
