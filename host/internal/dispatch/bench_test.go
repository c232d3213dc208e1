package dispatch_test

import (
	"testing"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
)

// BenchmarkTakeAndGive is what the pool adds to a request.
func BenchmarkTakeAndGive(b *testing.B) {
	bench := newBench(b, 0)
	s := bench.serve(func(c *dispatch.Config) { c.Program = still{} })
	run := func(b *testing.B) {
		if err := s.TakeAndGive(b.Context()); err != nil {
			b.Error(err)
		}
	}
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			run(b)
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				run(b)
			}
		})
	})
}

// BenchmarkDo is all of dispatch, around a handler that does nothing.
func BenchmarkDo(b *testing.B) {
	bench := newBench(b, 0)
	s := bench.serve(func(c *dispatch.Config) { c.Program = still{} })
	inv := &invoke.Invocation{Request: &invoke.Request{Head: abi.RequestHead{Method: "GET", Path: "/"}}}
	ctx, limits := b.Context(), s.Env().Limits
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Do(ctx, inv, limits); err != nil {
			b.Fatal(err)
		}
	}
}
