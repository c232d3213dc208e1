// Package enginetest is for tests: guests assembled by hand, an invocation to
// run them with, a way to call host functions without a guest, and the suite
// that every engine of the native ABI passes. Only tests import it.
package enginetest

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Memory is the limit the suite prepares programs with: 16 pages.
const Memory = 1 << 20

// Invocation returns a POST of body to a plugin with default limits, ready for
// its first attempt. tx and log may be nil.
func Invocation(body string, tx *store.Tx, log *slog.Logger) *invoke.Invocation {
	inv := &invoke.Invocation{
		Env: &invoke.Env{
			Plugin: "test", Version: 1, Limits: limit.Default(), KV: tx != nil,
			Config: map[string]string{"greeting": "hello", "empty": ""},
			Log:    log,
		},
		Request: &invoke.Request{
			Head: abi.RequestHead{
				Method: "POST", Path: "/", Scheme: "http", Host: "localhost",
				Headers:   []abi.Pair{{Name: "accept", Value: "*/*"}},
				RequestID: "request-1", BodySize: uint64(len(body)),
			},
			Body: invoke.BodyOf([]byte(body)),
		},
		Start: time.Now(),
	}
	inv.Begin(1, inv.Env.Limits, tx)
	return inv
}

// Prepare prepares a module with Memory; the test closes it.
func Prepare(tb testing.TB, e Direct, module []byte) engine.Program {
	tb.Helper()
	p, err := e.Prepare(context.Background(), module, engine.Options{Memory: Memory})
	if err != nil {
		tb.Fatalf("Prepare: %v", err)
	}
	tb.Cleanup(func() {
		if err := p.Close(context.Background()); err != nil {
			tb.Errorf("Program.Close: %v", err)
		}
	})
	return p
}

// Handle runs inv in a fresh instance of p.
func Handle(ctx context.Context, p engine.Program, inv *invoke.Invocation) error {
	in, err := p.Instance(ctx)
	if err != nil {
		return err
	}
	err = in.Handle(ctx, inv)
	if closeErr := in.Close(context.Background()); err == nil {
		err = closeErr
	}
	return err
}
