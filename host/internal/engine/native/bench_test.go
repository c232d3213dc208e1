package native

import (
	"context"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
)

func prepare(b *testing.B, module []byte) engine.Program {
	b.Helper()
	e, err := New(context.Background(), Config{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = e.Close(context.Background()) })
	return enginetest.Prepare(b, e, module)
}

// benchmarkFresh runs each invocation in a fresh instance, under a deadline as
// dispatch sets it.
func benchmarkFresh(b *testing.B, p engine.Program, inv *invoke.Invocation) {
	b.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	b.ReportAllocs()
	for b.Loop() {
		inv.Begin(1, inv.Env.Limits, nil)
		if err := enginetest.Handle(ctx, p, inv); err != nil {
			b.Fatal(err)
		}
	}
}

func getRequest() *invoke.Invocation {
	inv := enginetest.Invocation("", nil, nil)
	inv.Request.Head.Method = "GET"
	return inv
}

func BenchmarkTinyGuestFresh(b *testing.B) {
	benchmarkFresh(b, prepare(b, enginetest.Tiny()), getRequest())
}

func BenchmarkGoGuestFresh(b *testing.B) {
	benchmarkFresh(b, prepareGoGuest(b), getRequest())
}

// BenchmarkGoGuestReused is what is left to gain: the handler alone.
func BenchmarkGoGuestReused(b *testing.B) {
	benchmarkReused(b, prepareGoGuest(b), 1)
}

// BenchmarkHostCall calls request_head, 150 bytes, 1000 times per invocation.
func BenchmarkHostCall(b *testing.B) {
	const calls = 1000
	m := enginetest.NewBuilder(1)
	head := m.Native(abi.FnRequestHead)
	code := new(enginetest.Code).Loop(func(c *enginetest.Code) {
		c.I32(4096).I32(1024).Call(head).Drop()
		c.Get(0).I64(1).Op(0x7c).Set(0)
		c.Get(0).I64(calls).Op(0x54).BrIf(0)
	})
	benchmarkReused(b, prepare(b, m.Handle(code.I32(0)).Bytes()), calls)
}

func benchmarkReused(b *testing.B, p engine.Program, calls int) {
	b.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	in, err := p.Instance(ctx)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = in.Close(ctx) }()
	inv := getRequest()
	b.ReportAllocs()
	for b.Loop() {
		inv.Begin(1, inv.Env.Limits, nil)
		if err := in.Handle(ctx, inv); err != nil {
			b.Fatal(err)
		}
	}
	if calls > 1 {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(calls), "ns/call")
	}
}
