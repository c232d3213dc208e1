package e2e

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

// TestABusyPluginLetsOthersCompute: while one plugin computes as much as it can, in
// short runs and long ones, another answers at least a quarter as many requests as
// the short ones that run meanwhile, and /livez and the admin API answer. Where
// turns were of requests it answered a thirtieth.
func TestABusyPluginLetsOthersCompute(t *testing.T) {
	const short, long = 10_000_000, 1_000_000_000 // some milliseconds and half a second
	s := serve(t, t.TempDir(), "--log-level", "warn")
	s.deploy("busy", pack(t, computer(), "busy", "[limits]", `deadline = "60s"`))
	s.deploy("light", pack(t, enginetest.Tiny(), "light"))
	busy := &crowd{client: &fasthttp.Client{MaxConnsPerHost: crowdConns}}
	for i := range crowdConns {
		steps := uint64(short)
		if i%64 == 0 {
			steps = long
		}
		busy.members.Go(func() { busy.member(s.public+"/busy", steps) })
	}
	for busy.runs.Load() < 64 { // it has begun
		time.Sleep(time.Millisecond)
	}
	before := busy.runs.Load()
	var answered atomic.Int64
	var others sync.WaitGroup
	end := time.Now().Add(time.Duration(often(1, 60)) * time.Second)
	for range 8 {
		others.Go(func() {
			for time.Now().Before(end) {
				if a, err := s.try(t.Context(), "GET", "/light", ""); err != nil || a.status != 200 {
					t.Error(a, err)
					return
				}
				answered.Add(1)
			}
		})
	}
	others.Go(func() {
		for time.Now().Before(end) {
			live, err := s.try(t.Context(), "GET", "/livez", "")
			if err != nil || live.status != 200 {
				t.Error(live, err)
			}
			if err := s.tryAPI(t.Context(), nil, "GET", "/v1/plugins/busy", nil); err != nil {
				t.Error(err)
			}
		}
	})
	others.Wait()
	ran := busy.runs.Load() - before
	busy.stop.Store(true)
	s.kill() // many wait for their turn
	busy.members.Wait()
	if n := answered.Load(); n < ran/4 {
		t.Errorf("%d requests answered beside %d runs of the busy plugin, want a quarter of them at least", n, ran)
	}
	t.Logf("%d requests answered beside %d runs", answered.Load(), ran)
}
