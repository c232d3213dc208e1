package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// rolling is a plugin "rolled" of two versions, which users ask who name themselves.
type rolling struct {
	t      testing.TB
	server *server

	requests, failed atomic.Int64
}

const users = 300

// begin deploys "one" and rolls another module out beside it.
func (r *rolling) begin(module []byte, plan string) {
	r.t.Helper()
	r.server.deploy("rolled", pack(r.t, enginetest.Version("one"), "rolled"))
	var out adminapi.Changed
	r.server.api(&out, "POST", "/v1/plugins/rolled/versions?key=header:X-User&canary="+strings.ReplaceAll(plan, "%", "%25"), pack(r.t, module, "rolled")...)
	if out.Rollout != plan {
		r.t.Fatalf("the deploy: %+v", out)
	}
}

// ask sends a request of a user; one with a body is one that some versions trap on.
func (r *rolling) ask(user int, body string) (status int, answer string) {
	req, err := http.NewRequest("POST", r.server.public+"/rolled/", strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("X-User", strconv.Itoa(user))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(text)
}

// load has users ask until ctx ends, one request in twenty with a body.
func (r *rolling) load(ctx context.Context, clients int) (wait func()) {
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(7, uint64(i)))
			for ctx.Err() == nil {
				body := ""
				if rng.IntN(20) == 0 {
					body = "x"
				}
				status, _ := r.ask(rng.IntN(users), body)
				r.requests.Add(1)
				if status != 200 {
					r.failed.Add(1)
				}
			}
		})
	}
	return all.Wait
}

// ended waits for the end of the roll-out.
func (r *rolling) ended() (out adminapi.Rollout) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	defer cancel()
	err := until(ctx, func() bool {
		r.server.api(&out, "GET", "/v1/plugins/rolled/rollout")
		return out.Ended != nil
	})
	if err != nil {
		r.t.Fatalf("the roll-out does not end: %+v\n%s", out, r.server.log)
	}
	return out
}

// TestAWorseVersionGoesBack: a version that fails 5 % of its requests is back by
// itself within seconds, and under load less than 1 % of all requests fail meanwhile.
func TestAWorseVersionGoesBack(t *testing.T) {
	t.Parallel()
	r := &rolling{t: t, server: serve(t, t.TempDir())}
	r.begin(enginetest.Fussy("two"), "10%:1h")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	began := time.Now()
	wait := r.load(ctx, 8)
	out := r.ended()
	took := time.Since(began)
	if err := until(t.Context(), func() bool { return r.requests.Load() > 2000 }); err != nil {
		t.Fatal(err)
	}
	stop()
	wait()
	failed, requests := r.failed.Load(), r.requests.Load()
	t.Logf("back after %v, %d of %d requests failed (%.2f %%): %s", took.Round(10*time.Millisecond), failed, requests, 100*float64(failed)/float64(requests), out.Reason)
	if out.State != adminapi.RolloutBack || !strings.HasPrefix(out.Reason, "it traps more often") {
		t.Errorf("the roll-out: %+v", out)
	}
	if failed*100 >= requests {
		t.Errorf("%d of %d requests failed", failed, requests)
	}
	for user := range users {
		if status, answer := r.ask(user, "x"); status != 200 || answer != "one" {
			t.Fatalf("user %d is answered %d %q after that", user, status, answer)
		}
	}
}

// TestAGoodVersionReachesEverybody under load, without a failed request.
func TestAGoodVersionReachesEverybody(t *testing.T) {
	t.Parallel()
	r := &rolling{t: t, server: serve(t, t.TempDir())}
	r.begin(enginetest.Version("two"), "10%:500ms,50%:500ms")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	wait := r.load(ctx, 8)
	began, out := time.Now(), r.ended()
	stop()
	wait()
	t.Logf("done after %v, %d requests: %s", time.Since(began).Round(10*time.Millisecond), r.requests.Load(), out.Reason)
	if out.State != adminapi.RolloutDone || r.failed.Load() > 0 {
		t.Errorf("%d requests failed: %+v", r.failed.Load(), out)
	}
	if status, answer := r.ask(1, "x"); status != 200 || answer != "two" {
		t.Errorf("answered %d %q after that", status, answer)
	}
}

// world is which version each user has between two changes.
type world struct {
	span
	version int             // that serves
	rollout *plugin.Rollout // nil = none runs
}

// has returns what a user is answered.
func (w *world) has(user int) string {
	h := fnv.New64a()
	h.Write([]byte(strconv.Itoa(user)))
	version := w.version
	if w.rollout.Runs() && w.rollout.OnNewSide(h.Sum64(), w.rollout.Weight()) {
		version = w.rollout.To
	}
	return []string{"", "one", "two"}[version]
}

// observe reads which version each user has to have now.
func (r *rolling) observe() world {
	r.t.Helper()
	p, _ := r.server.status("rolled")
	w := world{version: p.Version}
	var out adminapi.Rollout
	if err := r.server.tryAPI(context.Background(), &out, "GET", "/v1/plugins/rolled/rollout", nil); err != nil || out.Ended != nil {
		return w // none was
	}
	plan, err := plugin.ParsePlan(out.Plan)
	if err != nil {
		r.t.Fatal(err)
	}
	w.rollout = &plugin.Rollout{To: out.New.Version, Plan: plan, Step: out.Step - 1, Started: out.Started}
	return w
}

// change does the next thing an operator may do in a world.
func (r *rolling) change(rng *rand.Rand, w world) error {
	post := func(path string, body any) error {
		data, err := json.Marshal(body)
		if err != nil {
			return err
		}
		return r.server.tryAPI(context.Background(), nil, "POST", "/v1/plugins/rolled"+path, data)
	}
	if w.rollout.Runs() {
		act := []adminapi.RolloutAct{{Act: "promote"}, {Act: "promote"}, {Act: "promote", Full: true}, {Act: "abort"}, {Act: "pause"}, {Act: "resume"}}
		return post("/rollout", act[rng.IntN(len(act))])
	}
	next := adminapi.Activation{Version: 3 - w.version} // forward, or back
	if rng.IntN(3) > 0 {
		next.Canary, next.Key = "10%:1h,40%:1h,70%:1h", "header:X-User"
	}
	return post("/deployments", next)
}

// TestRolloutsUnderLoad: activations, rollbacks and steps of roll-outs under load.
// No request fails, and each user is answered by the version that is theirs.
func TestRolloutsUnderLoad(t *testing.T) {
	t.Parallel()
	r := &rolling{t: t, server: serve(t, t.TempDir())}
	r.server.deploy("rolled", pack(t, enginetest.Version("one"), "rolled"))
	r.server.deploy("rolled", pack(t, enginetest.Version("two"), "rolled"))
	begun, rng := time.Now(), rand.New(rand.NewPCG(seeded(t), 1))
	worlds := []world{r.observe()}
	var mu sync.Mutex
	type asked struct {
		span
		user   int
		answer string
	}
	var all []asked
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var load sync.WaitGroup
	for i := range 4 {
		load.Go(func() {
			rng := rand.New(rand.NewPCG(9, uint64(i)))
			for ctx.Err() == nil {
				one := asked{user: rng.IntN(users)}
				one.start = time.Since(begun)
				status, answer := r.ask(one.user, "")
				if one.end, one.answer = time.Since(begun), answer; status != 200 {
					t.Errorf("a request failed: %d %q", status, answer)
				}
				mu.Lock()
				all = append(all, one)
				mu.Unlock()
				r.requests.Add(1)
			}
		})
	}
	for range often(50, 1000) {
		last := &worlds[len(worlds)-1]
		start := time.Since(begun)
		if err := r.change(rng, *last); err != nil {
			t.Fatalf("change %d: %v\n%s", len(worlds), err, r.server.log)
		}
		now := r.observe()
		now.start, last.end = start, time.Since(begun)
		worlds = append(worlds, now)
		enough := r.requests.Load() + 20
		if err := until(ctx, func() bool { return r.requests.Load() > enough }); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	load.Wait()
	worlds[len(worlds)-1].end = time.Since(begun)
	wrong := 0
	for _, one := range all {
		right := false
		for i := range worlds {
			if w := &worlds[i]; w.start <= one.end && w.end >= one.start && w.has(one.user) == one.answer {
				right = true
			}
		}
		if !right {
			wrong++
			t.Errorf("user %d was answered %q between %v and %v", one.user, one.answer, one.start, one.end)
		}
	}
	t.Logf("%d changes during %d requests: %d of the wrong version", len(worlds)-1, len(all), wrong)
}

// TestKilledRollouts kills the server while an operator changes something. What it
// finds then is whole: one of the worlds before and after, which it serves.
func TestKilledRollouts(t *testing.T) {
	t.Parallel()
	dir, rng := t.TempDir(), rand.New(rand.NewPCG(seeded(t), 2))
	r := &rolling{t: t, server: serve(t, dir)}
	r.server.deploy("rolled", pack(t, enginetest.Version("one"), "rolled"))
	r.server.deploy("rolled", pack(t, enginetest.Version("two"), "rolled"))
	now, seen := r.observe(), map[string]int{}
	for range often(4, 200) {
		done := make(chan error, 1)
		go func() { done <- r.change(rng, now) }()
		time.Sleep(time.Duration(rng.IntN(12)) * time.Millisecond) // when it is killed is what the test varies
		r.server.kill()
		err := <-done
		r.server = serve(t, dir)
		after := r.observe()
		if err == nil && now.rollout == nil && after.rollout == nil && after.version == now.version {
			t.Errorf("a change that was acknowledged is lost: %+v", after)
		}
		seen[fmt.Sprint(after.version, after.rollout.Runs())]++
		for user := range users {
			if user%10 != 0 {
				continue
			}
			if status, answer := r.ask(user, ""); status != 200 || answer != after.has(user) {
				t.Fatalf("user %d is answered %d %q, want %q in %+v", user, status, answer, after.has(user), after)
			}
		}
		now = after
	}
	t.Logf("worlds after a kill (version, whether one is rolled out): %v", seen)
}
