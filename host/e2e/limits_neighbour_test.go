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
	var others sync.WaitGroup
	end := time.Now().Add(time.Duration(often(1, 60)) * time.Second)
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
	answered := s.askLight(end)
	others.Wait()
	ran := busy.runs.Load() - before
	busy.stop.Store(true)
	s.kill() // many wait for their turn
	busy.members.Wait()
	if answered < ran/4 {
		t.Errorf("%d requests answered next to %d runs of the busy plugin, want a quarter of them at least", answered, ran)
	}
	t.Logf("%d requests answered next to %d runs", answered, ran)
}

// TestHashesLetOthersCompute: while many clients of one plugin hash passwords,
// another answers many more requests than hashes are made.
func TestHashesLetOthersCompute(t *testing.T) {
	s := serve(t, t.TempDir(), "--log-level", "warn")
	s.deploy("hasher", pack(t, hasher(), "hasher", "[limits]", `deadline = "30s"`))
	s.deploy("light", pack(t, enginetest.Tiny(), "light"))
	var answered int64
	hashed := hashing(s, func() {
		answered = s.askLight(time.Now().Add(time.Duration(often(1, 60)) * time.Second))
	})
	if hashed == 0 || answered < 4*hashed {
		t.Errorf("%d hashes were made meanwhile, and the other plugin answered %d requests", hashed, answered)
	} else {
		t.Logf("%d hashes, %d answers", hashed, answered)
	}
}

// askLight has eight clients ask the plugin light until an end, and returns how many
// answers they got.
func (s *server) askLight(end time.Time) int64 {
	var answered atomic.Int64
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			for time.Now().Before(end) {
				if a, err := s.try(s.t.Context(), "GET", "/light", ""); err != nil || a.status != 200 {
					s.t.Error(a, err)
					return
				}
				answered.Add(1)
			}
		})
	}
	clients.Wait()
	return answered.Load()
}
