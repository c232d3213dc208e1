package deploy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/router"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

// client is one that a number stands for.
type client uint64

func (c client) Hash(plugin.ClientKey) uint64 { return uint64(c) * 0x9e3779b97f4a7c15 }

// ask answers a client's request and counts it as package serve does: a version that
// fails, fails so.
func (p *platform) ask(c client, path string, fails ...int) string {
	p.t.Helper()
	m, result := p.Route("GET", "localhost", path, nil, c)
	if result != router.Found {
		return "[not_found]"
	}
	defer m.Deployment.Release()
	inv := &invoke.Invocation{Request: &invoke.Request{Head: abi.RequestHead{Method: "GET", Path: m.Path}}}
	rec := trace.Record{Version: m.Deployment.Env().Version, Status: 200}
	if _, err := m.Deployment.Do(p.t.Context(), inv, m.Limits()); err != nil {
		rec.Status, rec.Code = 0, string(fault.CodeOf(err))
	}
	if slices.Contains(fails, rec.Version) {
		rec.Status = 500
	}
	m.Deployment.Plugin().Tally.Load().Add(&rec)
	return string(inv.Reply.Body)
}

func plan(t *testing.T, text string) plugin.Canary {
	t.Helper()
	p, err := plugin.ParsePlan(text)
	if err != nil {
		t.Fatal(err)
	}
	return plugin.Canary{Plan: p}
}

// rollOut has version "two" roll out beside "one".
func (p *platform) rollOut(text string) {
	p.t.Helper()
	p.deploy(deploy.Upload{Module: pack(p.t, enginetest.Version("one"), "demo")})
	out := p.deploy(deploy.Upload{Module: pack(p.t, enginetest.Version("two"), "demo"), Canary: plan(p.t, text), By: "me"})
	if out.Activated || out.Rollout == nil || out.Version != 2 || out.Deployment != 1 {
		p.t.Fatalf("the roll-out: %+v", out)
	}
}

func (p *platform) rollout() *plugin.Rollout {
	p.t.Helper()
	it, err := p.registry.Plugin(p.t.Context(), "demo")
	if err != nil {
		p.t.Fatal(err)
	}
	return it.Rollout
}

// drive asks for many clients again and again until the roll-out ends, and checks that
// nobody goes back to the old version before.
func (p *platform) drive(fails ...int) *plugin.Rollout {
	p.t.Helper()
	moved := map[client]bool{}
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		for c := range client(400) {
			switch answer := p.ask(c, "/demo", fails...); {
			case answer == "two":
				moved[c] = true
			case answer != "one":
				p.t.Fatalf("client %d is answered %q", c, answer)
			case moved[c] && p.rollout().Runs():
				p.t.Fatalf("client %d went back", c)
			}
		}
		if r := p.rollout(); !r.Runs() {
			return r
		}
	}
	p.t.Fatal("the roll-out does not end")
	return nil
}

func TestARolloutReachesEverybody(t *testing.T) {
	p := start(t)
	p.rollOut("10%:0s,50%:0s")
	r := p.drive()
	if r.Outcome != plugin.RolledOut || !strings.Contains(r.Reason, "0 of its") {
		t.Errorf("%+v", r)
	}
	p.want("/demo", "two")
	if now := p.Rollouts(); now.Begun != 1 || now.Done != 1 || now.Running != 0 {
		t.Errorf("%+v", now)
	}
	p.restart()
	p.want("/demo", "two")
	events, err := p.registry.Audit(t.Context(), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, e := range events[len(events)-3:] {
		told = append(told, fmt.Sprintf("%s %s %d %s%v", e.By, e.Action, e.Version, e.Detail, e.Changes))
	}
	for i, want := range []string{"me rollout 2 begins at 10% beside version 1, plan 10%:0s,50%:0s", "rollout rollout 2 goes to 50%: 0 of its", "rollout activate 2 [version: 1 -> 2 rollout: runs -> rolled out, 0 of its"} {
		if !strings.HasPrefix(told[i], want) {
			t.Errorf("event %q, want %q", told[i], want)
		}
	}
}

func TestAWorseVersionGoesBack(t *testing.T) {
	p := start(t)
	p.rollOut("10%:1h")
	r := p.drive(2)
	if r.Outcome != plugin.RolledBack || !strings.HasPrefix(r.Reason, "it fails more often: ") {
		t.Errorf("%+v", r)
	}
	for c := range client(100) {
		if got := p.ask(c, "/demo"); got != "one" {
			t.Fatalf("client %d is answered %q", c, got)
		}
	}
	p.deploy(deploy.Upload{Module: pack(t, enginetest.Version("three"), "demo")})
	p.want("/demo", "three")
}

// TestARolloutSurvives restarts, changes of vars and limits, and others' deploys: each
// client stays with its version.
func TestARolloutSurvives(t *testing.T) {
	p := start(t)
	p.deploy(deploy.Upload{Module: pack(t, enginetest.Version("one"), "demo", "[config]", `a = {default = "1"}`)})
	p.deploy(deploy.Upload{Module: pack(t, enginetest.Version("two"), "demo", "[config]", `a = {default = "1"}`), Canary: plan(t, "30%:1h,60%:1h")})
	sides := map[client]string{}
	check := func(when string) {
		t.Helper()
		for c := range client(50) {
			got := p.ask(c, "/demo")
			if before := sides[c]; before != "" && before != got {
				t.Fatalf("%s: client %d had %q and has %q", when, c, before, got)
			}
			sides[c] = got
		}
	}
	check("at first")
	p.restart()
	check("after a restart")
	if _, err := p.SetVars(t.Context(), "demo", map[string]string{"a": "2"}, nil, "me"); err != nil {
		t.Fatal(err)
	}
	check("after a change of vars")
	p.deploy(deploy.Upload{Module: pack(t, enginetest.Version("other"), "other")})
	check("after another's deploy")
	if _, err := p.SetCORS(t.Context(), "demo", plugin.CORS{Origins: []string{"https://a.example"}}, "me"); err != nil {
		t.Fatal(err)
	}
	check("after a change of CORS")
	if err := p.PauseRollout(t.Context(), "demo", true, "me"); err != nil || !p.rollout().Paused {
		t.Errorf("%v, %+v", err, p.rollout())
	}
	check("while it is paused")
	for _, refused := range []func() error{
		func() error {
			_, err := p.Deploy(t.Context(), deploy.Upload{Module: pack(t, enginetest.Version("three"), "demo")})
			return err
		},
		func() error { _, err := p.Activate(t.Context(), "demo", 1, "", false, false, "me"); return err },
		func() error { _, err := p.RollOut(t.Context(), "demo", 1, plan(t, "1%:1h"), false, "me"); return err },
	} {
		if err := refused(); fault.CodeOf(err) != fault.Conflict || !strings.Contains(err.Error(), "wasmoor rollout abort demo") {
			t.Errorf("while a version is rolled out: %v", err)
		}
	}
	if out := p.deploy(deploy.Upload{Module: pack(t, enginetest.Version("three"), "demo"), NoActivate: true}); out.Version != 3 {
		t.Errorf("a version to keep: %+v", out)
	}
	if err := p.Promote(t.Context(), "demo", false, "me"); err != nil || p.rollout().Step != 1 {
		t.Errorf("%v, %+v", err, p.rollout())
	}
	for c := range client(50) {
		if got := p.ask(c, "/demo"); sides[c] == "two" && got != "two" {
			t.Fatalf("client %d went back at the next step", c)
		}
	}
	p.restart()
	if r := p.rollout(); !r.Runs() || r.Step != 1 {
		t.Errorf("after a restart %+v", r)
	}
	if err := p.Abort(t.Context(), "demo", "me"); err != nil || p.rollout().Outcome != plugin.RollAbort {
		t.Errorf("%v, %+v", err, p.rollout())
	}
	p.want("/demo", "one")
	if err := p.Abort(t.Context(), "demo", "me"); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("a second abort: %v", err)
	}
}

func TestPromoteInFull(t *testing.T) {
	p := start(t)
	p.rollOut("1%:1h,2%:1h")
	if err := p.Promote(t.Context(), "demo", true, "me"); err != nil {
		t.Fatal(err)
	}
	for c := range client(50) {
		if got := p.ask(c, "/demo"); got != "two" {
			t.Fatalf("client %d is answered %q", c, got)
		}
	}
	if err := p.Delete(t.Context(), "demo", true, "me"); err != nil {
		t.Fatal(err)
	}
}

// TestEachClientSeesTheRoutesOfItsVersion, also where they belong to one of them only.
func TestEachClientSeesTheRoutesOfItsVersion(t *testing.T) {
	p := start(t)
	p.deploy(deploy.Upload{Module: pack(t, enginetest.Version("one"), "demo", "[[route]]", `pattern = "GET /{x}"`, "[[route]]", `pattern = "GET /old/only"`)})
	p.deploy(deploy.Upload{Module: pack(t, enginetest.Version("two"), "demo", "[[route]]", `pattern = "GET /{x}"`, "[[route]]", `pattern = "GET /new"`, "[[route]]", `pattern = "GET /new/only"`), Canary: plan(t, "50%:1h")})
	seen := map[string]int{}
	for c := range client(60) {
		seen[strings.Join([]string{p.ask(c, "/demo/a"), p.ask(c, "/demo/new"), p.ask(c, "/demo/old/only"), p.ask(c, "/demo/new/only")}, " ")]++
	}
	if len(seen) != 2 || seen["one one one [not_found]"] == 0 || seen["two two [not_found] two"] == 0 {
		t.Errorf("clients see %v", seen)
	}
	// Its routes are taken for others already.
	_, err := p.Deploy(t.Context(), deploy.Upload{Name: "other", Mount: "/demo", Module: pack(t, enginetest.Version("three"), "other", "[[route]]", `pattern = "GET /new/only"`)})
	if fault.CodeOf(err) != fault.Conflict {
		t.Errorf("a route of the new version is another plugin's: %v", err)
	}
	if err := p.Delete(t.Context(), "demo", false, "me"); err != nil || p.rollout().Outcome != plugin.RollAbort {
		t.Errorf("%v, %+v", err, p.rollout())
	}
}

// TestARolloutIsRefused where it cannot be, and not needed where nothing serves.
func TestARolloutIsRefused(t *testing.T) {
	p := start(t)
	first := p.deploy(deploy.Upload{Module: pack(t, enginetest.Version("one"), "demo"), Canary: plan(t, "1%:1h")})
	if !first.Activated || !strings.Contains(strings.Join(first.Notices, " "), "serves everybody at once") {
		t.Errorf("the first version: %+v", first)
	}
	_, err := p.Deploy(t.Context(), deploy.Upload{Module: pack(t, enginetest.Version("two"), "demo"), Mount: "/elsewhere", Canary: plan(t, "1%:1h")})
	if fault.CodeOf(err) != fault.Conflict || !strings.Contains(err.Error(), "wasmoor activate demo 2 --mount /elsewhere") {
		t.Errorf("another mount: %v", err)
	}
	out := p.deploy(deploy.Upload{Module: pack(t, enginetest.Version("three"), "demo", "[config]", "a = {required = true}"), Canary: plan(t, "1%:1h")})
	if out.Activated || out.Rollout != nil || len(out.Waiting) == 0 || p.rollout().Runs() {
		t.Errorf("a version that waits: %+v", out)
	}
	if _, err := p.SetVars(t.Context(), "demo", map[string]string{"a": "1"}, nil, "me"); err != nil {
		t.Fatal(err)
	}
	rolled, err := p.RollOut(t.Context(), "demo", 3, plan(t, "1%:1h"), false, "me")
	if err != nil || rolled.Rollout == nil {
		t.Fatalf("%+v, %v", rolled, err)
	}
	_, err = p.SetVars(t.Context(), "demo", nil, []string{"a"}, "me")
	if fault.CodeOf(err) != fault.Conflict || !strings.Contains(err.Error(), "version 3, which is being rolled out, refuses the change") {
		t.Errorf("a var that it needs: %v", err)
	}
}
