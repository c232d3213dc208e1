package e2e

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

// bulk sets 9,999 keys of 8 bytes to values of 100.
func bulk() []byte {
	const key, value, n = 1024, 2048, 0
	g := enginetest.NewBuilder(1)
	set := g.Native(abi.FnKVSet)
	code := new(enginetest.Code).I64(9_999).Set(n)
	code.Loop(func(c *enginetest.Code) {
		c.I32(key).Get(n).Store64()
		c.I32(key).I32(8).I32(value).I32(100).I64(0).Call(set).Drop()
		c.Get(n).I64(1).Op(0x7d).Set(n)    // i64.sub
		c.Get(n).Op(0x50).Op(0x45).BrIf(0) // i64.eqz, i32.eqz
	})
	return g.Handle(code.I32(0)).Bytes()
}

// BenchmarkBulk measures durable adds of 64 clients while four clients of another
// plugin write 9,999 keys a request. What the store takes of it is in
// BenchmarkNeighbours of store/badger.
func BenchmarkBulk(b *testing.B) {
	s := serve(b, b.TempDir(), "--log-level", "warn")
	s.deploy("adder", pack(b, adder(), "adder", "[kv]"))
	s.deploy("bulk", pack(b, bulk(), "bulk", "[kv]"))
	alone := &visits{tally: tally{name: "add", path: "/adder"}}
	beside := &visits{tally: tally{name: "add, beside 9,999 keys a request", path: "/adder"}}
	var written atomic.Int64
	for b.Loop() {
		for range benchRounds {
			alone.run(b, s.public)
			var stop atomic.Bool
			var writers sync.WaitGroup
			for range 4 {
				writers.Go(func() { write(b, s.public+"/bulk", &stop, &written) })
			}
			beside.run(b, s.public)
			stop.Store(true)
			writers.Wait()
		}
	}
	b.Log("\n" + tallyTable("64 clients, one key", &alone.tally, &beside.tally))
	b.ReportMetric(float64(written.Load())/(benchRounds*benchRound.Seconds()), "bulks/s")
	b.ReportMetric(0, "ns/op") // of a whole run: it means nothing
}

// write writes until it is told to stop.
func write(b *testing.B, url string, stop *atomic.Bool, written *atomic.Int64) {
	req, res := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	req.SetRequestURI(url)
	req.Header.SetMethod("POST")
	for !stop.Load() {
		if err := fasthttp.DoTimeout(req, res, time.Minute); err != nil || res.StatusCode() != 200 {
			b.Errorf("%v, status %d: %s", err, res.StatusCode(), res.Body())
			return
		}
		written.Add(1)
	}
}
