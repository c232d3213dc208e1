package deploy_test

import (
	"slices"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/capability/cron"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/router"
)

// held returns the version that handles what comes from no client.
func (p *platform) held() int {
	p.t.Helper()
	held, err := p.Hold("demo", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	defer held.Deployment.Release()
	if held.Mount != "/demo" || held.Deployment.Env().Version != p.versionOf() {
		p.t.Errorf("held %+v, installed is version %d", held, p.versionOf())
	}
	return held.Deployment.Env().Version
}

// versionOf returns which version Installed has the manifest of.
func (p *platform) versionOf() int {
	serving, _ := p.Serving("demo")
	for _, it := range p.Installed() {
		if it.Name == "demo" && it.Space != 0 && !it.Paused {
			return serving.Version.Number
		}
	}
	return 0
}

// TestHoldDuringARollout: what comes from no client stays with the version from before
// until the new one serves everybody.
func TestHoldDuringARollout(t *testing.T) {
	p := start(t)
	if _, err := p.Hold("demo", nil); err == nil {
		t.Error("what does not serve is held")
	}
	p.rollOut("10%:0s,50%:0s")
	if v := p.held(); v != 1 {
		t.Errorf("version %d during the roll-out", v)
	}
	if r := p.drive(); r.Outcome != plugin.RolledOut {
		t.Fatalf("%+v", r)
	}
	if v := p.held(); v != 2 {
		t.Errorf("version %d after it", v)
	}
}

// schedules returns those that tick: of the version of Hold.
func (p *platform) schedules() (names []string) {
	for _, it := range p.Installed() {
		if it.Name == "demo" {
			for _, s := range cron.Of(it.Manifest) {
				names = append(names, s.Name)
			}
		}
	}
	return names
}

// TestSchedulesDuringARollout: those of the version from before tick until the new one
// serves everybody, and go on when it goes back.
func TestSchedulesDuringARollout(t *testing.T) {
	for _, back := range []bool{false, true} {
		p := start(t)
		version := func(guest, schedule string) []byte {
			return pack(t, enginetest.Version(guest), "demo", "[[cron]]", `name = "`+schedule+`"`, `schedule = "@every 1h"`, `request = "POST /tick"`,
				"[[route]]", `pattern = "GET /{rest...}"`, "[[route]]", `pattern = "POST /tick"`, "private = true")
		}
		p.deploy(deploy.Upload{Module: version("one", "old")})
		p.deploy(deploy.Upload{Module: version("two", "new"), Canary: plan(t, map[bool]string{false: "10%:0s,50%:0s", true: "10%:1h"}[back]), By: "me"})
		want, outcome, fails := []string{"old"}, plugin.RolledOut, []int(nil)
		if got := p.schedules(); !slices.Equal(got, want) || p.held() != 1 {
			t.Errorf("during the roll-out %q tick", got)
		}
		if back {
			outcome, fails = plugin.RolledBack, []int{2}
		} else {
			want = []string{"new"}
		}
		if r := p.drive(fails...); r.Outcome != outcome {
			t.Fatalf("%+v", r)
		}
		for end := time.Now().Add(time.Minute); !slices.Equal(p.schedules(), want); time.Sleep(time.Millisecond) {
			if time.Now().After(end) { // the record comes before what serves
				t.Fatalf("after it %q tick, want %q", p.schedules(), want)
			}
		}
	}
}

// TestClosedRoutes: a route that is private, or that a queue names, has no way in from
// a client, with routes and without.
func TestClosedRoutes(t *testing.T) {
	p := start(t)
	p.deploy(deploy.Upload{Module: pack(t, enginetest.Version("one"), "demo",
		"[queue.q]", `request = "POST /queues/q"`,
		"[[route]]", `pattern = "POST /queues/{name}"`,
		"[[route]]", `pattern = "GET /inside"`, "private = true",
		"[[route]]", `pattern = "GET /{rest...}"`)})
	p.deploy(deploy.Upload{Module: pack(t, enginetest.Version("two"), "whole", "[queue.q]", `request = "POST /queues/q"`)})
	for _, c := range []struct {
		method, path string
		want         router.Result
	}{
		{"POST", "/demo/queues/q", router.NotFound},
		{"POST", "/demo/queues/other", router.NotFound}, // the whole route is closed
		{"GET", "/demo/inside", router.NotFound},        // and GET / does not take its requests
		{"HEAD", "/demo/inside", router.NotFound},
		{"PUT", "/demo/a", router.MethodNotAllowed},
		{"GET", "/demo/a", router.Found},
		{"POST", "/whole/queues/q", router.NotFound},
		{"POST", "/whole/queues/%71", router.NotFound},
		{"GET", "/whole/queues/q", router.Found},
		{"POST", "/whole/queues", router.Found},
	} {
		m, got := p.Route(c.method, "localhost", c.path, nil, nil)
		if got != c.want || m.Pattern == "GET /inside" {
			t.Errorf("%s %s: %v by %q, want %v", c.method, c.path, got, m.Pattern, c.want)
		}
		if got == router.Found {
			m.Deployment.Release()
		}
	}
}
