package e2e

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
	"golang.org/x/crypto/argon2"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

// hashConns are the clients of BenchmarkPasswords that hash.
const hashConns = 64

// hasher hashes a password for each request.
func hasher() []byte {
	g := enginetest.NewBuilder(1)
	hash := g.Native(abi.FnPasswordHash)
	return g.Handle(new(enginetest.Code).I32(0).I32(16).I32(64).I32(128).Call(hash).Drop().I32(0)).Bytes()
}

// BenchmarkPasswords measures a hash natively and through a guest, how many clients
// get a second, and what they take from a light plugin, /livez and the admin API.
func BenchmarkPasswords(b *testing.B) {
	var text string
	for b.Loop() {
		s := serve(b, b.TempDir(), "--log-level", "warn")
		s.deploy("hasher", pack(b, hasher(), "hasher", "[limits]", `deadline = "30s"`))
		s.deploy("light", pack(b, enginetest.Tiny(), "light"))
		native := least(func() { argon2.IDKey(make([]byte, 16), make([]byte, 16), 2, 19<<10, 1, 32) })
		guest := least(func() {
			if a := s.do("POST", "/hasher", ""); a.status != 200 {
				b.Fatal(a)
			}
		})
		alone, beside := neighbourRow{name: "nobody"}, neighbourRow{name: "64 that hash"}
		alone.watch(s)
		start := time.Now()
		hashes := hashing(s, func() { start = time.Now(); beside.watch(s) })
		rate := float64(hashes) / time.Since(start).Seconds()
		text += fmt.Sprintf("\na hash natively %v, through a guest over HTTP %v; %d clients get %.0f a second\n%s",
			native, guest, hashConns, rate, neighbourTable([]neighbourRow{alone, beside}))
	}
	b.Log(text)
	b.ReportMetric(0, "ns/op") // of a whole run: it means nothing
}

// least returns how long do takes at least.
func least(do func()) time.Duration {
	best := time.Duration(1 << 62)
	for range 20 {
		start := time.Now()
		do()
		best = min(best, time.Since(start))
	}
	return best.Round(10 * time.Microsecond)
}

// hashing returns how many hashes clients get while something is done meanwhile,
// and kills the server.
func hashing(s *server, meanwhile func()) int64 {
	var stop atomic.Bool
	var done atomic.Int64
	var all sync.WaitGroup
	client := &fasthttp.Client{MaxConnsPerHost: hashConns}
	for range hashConns {
		all.Go(func() {
			for !stop.Load() {
				if status, _, err := client.Post(nil, s.public+"/hasher", nil); err == nil && status == 200 {
					done.Add(1)
				}
			}
		})
	}
	if until(s.t.Context(), func() bool { return done.Load() >= 8 }) != nil {
		s.t.Error("hashing has not begun within a minute")
	}
	before := done.Load()
	meanwhile()
	hashes := done.Load() - before
	stop.Store(true)
	s.kill() // many wait for their turn
	all.Wait()
	return hashes
}
