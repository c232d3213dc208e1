package native

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
)

func prepare(b testing.TB, module []byte) engine.Program {
	b.Helper()
	e := enginetest.InProcess(New(Config{Functions: capabilities.All(capabilities.Config{}).Native()}))
	b.Cleanup(func() { _ = e.Close(context.Background()) })
	return enginetest.Prepare(b, e, module)
}

func getRequest() *invoke.Invocation {
	inv := enginetest.Invocation("", nil, nil)
	inv.Request.Head.Method = "GET"
	return inv
}

// benchmarkWays runs invocations in an instance each ("fresh"), in one that is
// put back after each ("clean"), and in one that is not ("dirty"), all under a
// deadline as dispatch sets it.
func benchmarkWays(b *testing.B, p engine.Program, inv *invoke.Invocation) {
	b.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	if why := p.Fresh(); why != "" {
		b.Fatal(why)
	}
	b.Run("fresh", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			inv.Begin(1, inv.Env.Limits, nil)
			if err := enginetest.Handle(ctx, p, inv); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("clean", func(b *testing.B) { benchmarkReused(b, p, inv, true) })
	b.Run("dirty", func(b *testing.B) { benchmarkReused(b, p, inv, false) })
}

func benchmarkReused(b *testing.B, p engine.Program, inv *invoke.Invocation, clean bool) {
	b.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	in, err := p.Instance(ctx)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = in.Close(ctx) }()
	b.ReportAllocs()
	for b.Loop() {
		inv.Begin(1, inv.Env.Limits, nil)
		if err := in.Handle(ctx, inv); err != nil {
			b.Fatal(err)
		}
		if clean && !in.Reset() {
			b.Fatal("the instance cannot be put back")
		}
	}
}

func BenchmarkTinyGuest(b *testing.B) { benchmarkWays(b, prepare(b, enginetest.Tiny()), getRequest()) }

// BenchmarkBareGo is a guest in Go without the SDK.
func BenchmarkBareGo(b *testing.B) { benchmarkWays(b, prepareGoGuest(b, bare), getRequest()) }

func BenchmarkGoHello(b *testing.B) { benchmarkWays(b, prepareGoGuest(b, hello), getRequest()) }

// BenchmarkGoJSON has a guest read and write 500 bytes of JSON with
// encoding/json, cold and warmed up by another request.
func BenchmarkGoJSON(b *testing.B) {
	inv := enginetest.Invocation(jsonBody, nil, nil)
	b.Run("cold", func(b *testing.B) { benchmarkWays(b, prepareGoGuest(b, jsons), inv) })
	b.Run("warm", func(b *testing.B) { benchmarkWays(b, prepareGoGuest(b, jsons, warmup), inv) })
}

// BenchmarkGoJSONText is the same with the SDK's jsontext.
func BenchmarkGoJSONText(b *testing.B) {
	inv := enginetest.Invocation(jsonBody, nil, nil)
	inv.Request.Head.Headers = []abi.Pair{{Name: "content-type", Value: "application/json"}}
	warmup := manifest.Warmup{Head: inv.Request.Head, Body: jsonBody}
	b.Run("cold", func(b *testing.B) { benchmarkWays(b, prepareGoGuest(b, texts), inv) })
	b.Run("warm", func(b *testing.B) { benchmarkWays(b, prepareGoGuest(b, texts, warmup), inv) })
}

// BenchmarkMegabyte hands guests a body of 1 MiB: one echoes it through 4 KiB,
// one takes it apart as JSON.
func BenchmarkMegabyte(b *testing.B) {
	text := `"` + strings.Repeat("x", 1<<20-2) + `"`
	b.Run("echo", func(b *testing.B) {
		benchmarkWays(b, prepare(b, enginetest.Echo()), enginetest.Invocation(text, nil, nil))
	})
	b.Run("json", func(b *testing.B) {
		benchmarkWays(b, prepareGoGuest(b, jsons, warmup), enginetest.Invocation(text, nil, nil))
	})
}

var (
	jsonBody = `{"method":"POST","path":"/v1/items","header":{"content-type":"application/json","accept":"*/*"},"body":"` +
		strings.Repeat("x", 400) + `"}`
	warmup = manifest.Warmup{
		Head: abi.RequestHead{Method: "POST", Path: "/", Scheme: "http", Host: "localhost", BodySize: uint64(len(warmBody))},
		Body: warmBody,
	}
)

var warmBody = jsonBody

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
	benchmarkReused(b, prepare(b, m.Handle(code.I32(0)).Bytes()), getRequest(), true)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/calls, "ns/call")
}
