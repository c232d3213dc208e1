package extism_test

import (
	"context"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/engine/extism"
	"github.com/wasmoor/wasmoor/host/internal/engine/linear"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
)

// TestBodyInFile: a body that lies in a file is the input as it would be in
// memory, while it fits, and what it took is given back.
func TestBodyInFile(t *testing.T) {
	const budget = 16 << 20
	memory := linear.NewBudget(budget)
	p, err := enginetest.InProcess(extism.New(capabilities.All(capabilities.Config{}).Extism(), memory)).Prepare(context.Background(), plugin(t, "count_vowels"), engine.Options{
		Memory: 4 << 20, Routes: []manifest.Route{{Pattern: "/", Export: "count_vowels"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	inv := invocation("", nil)
	for _, test := range []struct {
		size, claimed int64
		code          fault.Code
	}{
		{4096, 4096, ""},
		{4<<20 + 1, 4<<20 + 1, fault.TooLarge},
		{10, 4096, fault.Internal}, // the file is cut short
	} {
		inv.Request.Body = invoke.BodyIn(strings.NewReader(strings.Repeat("a", int(test.size))), test.claimed)
		for attempt := 1; attempt <= 2; attempt++ {
			inv.Begin(attempt, inv.Env.Limits, nil)
			if err := enginetest.Handle(context.Background(), p, inv); fault.CodeOf(err) != test.code {
				t.Errorf("%d of %d bytes: got %v, want %q", test.size, test.claimed, err, test.code)
			}
			if got := string(inv.Reply.Body); test.code == "" && !strings.Contains(got, `"count":4096`) {
				t.Errorf("the plugin counts %s", got)
			}
		}
	}
	if err := p.Close(context.Background()); err != nil {
		t.Error(err)
	}
	all, err := memory.Hold(budget)
	if err != nil {
		t.Fatalf("afterwards: %v", err)
	}
	if _, err := memory.Hold(1); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("beyond the budget: %v", err)
	}
	all()
}
