package e2e

import (
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

// TestCron has a schedule come every second while the server is killed between its
// times and within them, and versions are swapped. Each run that has committed is
// recorded and no other, no time comes twice, and all are whole seconds apart.
func TestCron(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(seeded(t), 0))
	module := pack(t, enginetest.Counter(), "jobs", "[kv]", "[[cron]]", `schedule = "@every 1s"`, `request = "POST /tick"`)
	s := serve(t, dir)
	s.deploy("jobs", module)
	if a := s.do("POST", "/jobs/tick", ""); a.status != http.StatusNotFound {
		t.Errorf("a client reaches the request of a schedule: %v", a)
	}
	seen := map[time.Time]bool{}
	var ticks []time.Time
	look := func() (done int64) {
		cron := s.cron(t)
		for i := range cron.Runs { // the newest first
			run := cron.Runs[len(cron.Runs)-1-i]
			if run.Outcome != "done" || seen[run.Due] {
				continue
			}
			seen[run.Due] = true
			if n := len(ticks); n > 0 && (!run.Due.After(ticks[n-1]) || run.Due.Sub(ticks[n-1])%time.Second != 0) {
				t.Errorf("%s came after %s", run.Due, ticks[n-1])
			}
			ticks = append(ticks, run.Due)
		}
		return cron.Done
	}
	for round := range often(3, 200) {
		before := look()
		for look() == before {
			time.Sleep(50 * time.Millisecond)
		}
		if round%2 == 1 {
			s.deploy("jobs", module)
		}
		time.Sleep(time.Duration(rng.IntN(1000)) * time.Millisecond)
		s.kill()
		s = serve(t, dir)
	}
	s.api(nil, "PUT", "/v1/plugins/jobs/pause", []byte("{}")...)
	for s.cron(t).Running {
		time.Sleep(10 * time.Millisecond)
	}
	done := look()
	if n := s.number("jobs", "n"); n != done || done != int64(len(ticks)) || done == 0 {
		t.Errorf("the handler has counted to %d, %d runs are recorded, for %d times", n, done, len(ticks))
	}
}

// cronState is what the API says of a schedule.
type cronState struct {
	Running bool
	Done    int64
	Runs    []struct {
		Due     time.Time
		Outcome string
	}
}

// cron returns the only schedule of the plugin jobs.
func (s *server) cron(t *testing.T) cronState {
	t.Helper()
	for {
		var list []cronState
		s.api(&list, "GET", "/v1/plugins/jobs/crons")
		if len(list) == 1 {
			return list[0]
		}
		if len(list) > 1 {
			t.Fatalf("%d schedules", len(list))
		}
		time.Sleep(10 * time.Millisecond) // it is followed in a moment
	}
}
