package deploy_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability/outbound"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/router"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

// begin has d's plugin "demo" handle a request with an id, and returns what it ended
// with.
func begin(t *testing.T, d *deploy.Deployer, id string) <-chan error {
	t.Helper()
	m, result := d.Route("GET", "localhost", "/demo/", nil, nil)
	if result != router.Found {
		t.Fatal("demo does not serve")
	}
	ended := make(chan error, 1)
	go func() {
		defer m.Deployment.Release()
		inv := &invoke.Invocation{Request: &invoke.Request{Head: abi.RequestHead{Method: "GET", Path: m.Path, RequestID: id, Remote: "192.0.2.7"}}}
		_, err := m.Deployment.Do(context.Background(), inv, m.Limits())
		ended <- err
	}()
	return ended
}

// eventually waits until demo has requests as ok wants them.
func eventually(t *testing.T, d *deploy.Deployer, ok func([]dispatch.Request) bool) []dispatch.Request {
	t.Helper()
	for range 1000 {
		all, err := d.Running(t.Context(), "demo")
		must(t, err)
		if ok(all) {
			return all
		}
		time.Sleep(10 * time.Millisecond)
	}
	all, _ := d.Running(t.Context(), "demo")
	t.Fatalf("demo has %+v", all)
	return nil
}

func anyone(string) error { return nil }

// TestRunningRequestsAreShownAndEnded: one that runs and one that waits for its turn,
// and whoever is ended leaves its place to others.
func TestRunningRequestsAreShownAndEnded(t *testing.T) {
	p := start(t)
	d, _ := p.script(func(ctx context.Context, _ *invoke.Invocation) error {
		<-ctx.Done()
		return fault.Wrap(fault.Deadline, "handle", "out of time", ctx.Err())
	})
	upload(t, d, "[limits]", "concurrency = 1", `deadline = "60s"`)
	first := begin(t, d, "first")
	eventually(t, d, func(all []dispatch.Request) bool { return len(all) == 1 && all[0].State == dispatch.Running })
	second := begin(t, d, "second")
	all := eventually(t, d, func(all []dispatch.Request) bool { return len(all) == 2 })
	if r := all[0]; r.ID != "first" || r.Attempt != 1 || r.Version != 1 || r.Remote != "192.0.2.7" || r.Age <= 0 || r.Age > time.Hour {
		t.Errorf("the first is shown as %+v", r)
	}
	if r := all[1]; r.ID != "second" || r.State != dispatch.Waiting || r.Attempt != 0 {
		t.Errorf("the second is shown as %+v", r)
	}
	for id, ended := range map[string]<-chan error{"second": second, "first": first} {
		if n, err := d.Kill(t.Context(), id, anyone, "ann"); n != 1 || err != nil {
			t.Fatalf("%s: ended %d, %v", id, n, err)
		}
		if err := <-ended; fault.CodeOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "an operator has ended the request") || dispatch.Stopped(err) != trace.Ended {
			t.Errorf("%s ended with %v", id, err)
		}
	}
	eventually(t, d, func(all []dispatch.Request) bool { return len(all) == 0 })
	if _, err := d.Kill(t.Context(), "first", anyone, "ann"); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("what is over: %v", err)
	}
	third := begin(t, d, "third")
	eventually(t, d, func(all []dispatch.Request) bool { return len(all) == 1 })
	if _, err := d.Kill(t.Context(), "third", func(string) error { return fault.New(fault.Denied, "", "no") }, "bob"); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("whoever may not: %v", err)
	}
	_, _ = d.Kill(t.Context(), "third", anyone, "ann")
	<-third
	events, err := p.registry.Audit(t.Context(), 0, 0)
	must(t, err)
	kills := slices.DeleteFunc(events, func(e plugin.Event) bool { return e.Action != plugin.ActionKill })
	if len(kills) != 3 || kills[0].Plugin != "demo" || kills[0].By != "ann" {
		t.Errorf("the audit has %+v", kills)
	}
}

// TestRequestsOfADeletedPluginAreEnded: those that had begun are shown and ended, also
// when another plugin has its name by now.
func TestRequestsOfADeletedPluginAreEnded(t *testing.T) {
	for _, purge := range []bool{false, true} {
		p := start(t)
		d, _ := p.script(func(ctx context.Context, _ *invoke.Invocation) error {
			<-ctx.Done()
			return fault.Wrap(fault.Deadline, "handle", "out of time", ctx.Err())
		})
		running := func(ids ...string) {
			t.Helper()
			eventually(t, d, func(all []dispatch.Request) bool {
				var got []string
				for _, r := range all {
					if r.State == dispatch.Running {
						got = append(got, r.ID)
					}
				}
				slices.Sort(got)
				return slices.Equal(got, ids)
			})
		}
		upload(t, d, "[limits]", `deadline = "60s"`)
		first, second := begin(t, d, "first"), begin(t, d, "second")
		running("first", "second")
		must(t, d.Delete(t.Context(), "demo", purge, "ann"))
		running("first", "second")
		if n, err := d.Kill(t.Context(), "first", anyone, "ann"); n != 1 || err != nil {
			t.Fatalf("purged %v: ended %d, %v", purge, n, err)
		}
		<-first
		upload(t, d, "[limits]", `deadline = "60s"`)
		third := begin(t, d, "third")
		running("second", "third")
		for id, ended := range map[string]<-chan error{"second": second, "third": third} {
			if n, err := d.Kill(t.Context(), id, anyone, "ann"); n != 1 || err != nil {
				t.Fatalf("purged %v: ended %d of %s, %v", purge, n, id, err)
			}
			<-ended
		}
		must(t, d.Delete(t.Context(), "demo", purge, "ann"))
		if all, err := d.Running(t.Context(), "demo"); len(all) > 0 || fault.CodeOf(err) != fault.NotFound {
			t.Errorf("purged %v: a plugin that is gone has %+v, %v", purge, all, err)
		}
	}
}

// TestEgressOffCutsCalls: one that waits for its service ends at once, others are
// refused, over a new deployment and a restart, until the calls are let go again.
func TestEgressOffCutsCalls(t *testing.T) {
	hang := make(chan struct{})
	waits := make(chan struct{}, 8)
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hang" {
			waits <- struct{}{}
			select {
			case <-hang:
			case <-r.Context().Done():
			}
		}
	}))
	defer service.Close()
	defer close(hang)
	path := "/hang"
	reasons := make(chan string, 8)
	handle := func(ctx context.Context, inv *invoke.Invocation) error {
		calls := outbound.Calls(inv)
		handle, status, why := calls.Open(&abi.HTTPRequest{URL: service.URL + path})
		if status != abi.OK {
			reasons <- why
			return nil
		}
		_, _, err := calls.Send(ctx, []uint32{handle})
		head, _ := calls.Response(handle)
		reasons <- head.Reason
		return err
	}
	p := start(t)
	d, _ := p.script(handle)
	lines := []string{"[limits]", `deadline = "60s"`, "[outbound]", `allow = ["` + service.URL + `"]`, `timeout = "60s"`}
	upload(t, d, lines...)
	ended := begin(t, d, "hangs")
	<-waits
	must(t, d.Egress(t.Context(), "demo", true, "ann"))
	if why := <-reasons; !strings.Contains(why, "an operator has ended the calls") {
		t.Errorf("the call under way ended with %q", why)
	}
	if err := <-ended; err != nil {
		t.Errorf("the handler ended with %v", err)
	}
	path = "/"
	call := func(d *deploy.Deployer, when string, off bool) {
		t.Helper()
		<-begin(t, d, "id")
		if why := <-reasons; strings.Contains(why, "an operator has ended the calls") != off || !off && why != "" {
			t.Errorf("%s: %q, want refused=%v", when, why, off)
		}
	}
	call(d, "another call", true)
	upload(t, d, lines...)
	call(d, "a new deployment", true)
	again, _ := p.script(handle)
	must(t, again.Restore(t.Context()))
	call(again, "a restart", true)
	must(t, again.Egress(t.Context(), "", true, "ann"))
	must(t, again.Egress(t.Context(), "demo", false, "ann"))
	call(again, "on, while all are off", true)
	must(t, again.Egress(t.Context(), "", false, "ann"))
	call(again, "all on", false)
}

// TestAPauseRefuses: everything, or with writes what would be committed; what reads
// goes on.
func TestAPauseRefuses(t *testing.T) {
	p := start(t)
	p.deploy(deploy.Upload{Module: pack(t, enginetest.Counter(), "demo", "[kv]")})
	p.deploy(deploy.Upload{Module: pack(t, enginetest.Version("one"), "plain")})
	p.want("/demo/", "1")
	pause := plugin.Pause{RetryAfter: time.Minute}
	hold := func(name string, writes bool) {
		t.Helper()
		pause.Writes = writes
		_, err := p.Pause(t.Context(), name, pause, "ann")
		must(t, err)
	}
	hold("demo", false)
	p.want("/demo/", "[unavailable]")
	p.want("/plain/", "one")
	p.restart()
	p.want("/demo/", "[unavailable]")
	hold("demo", true)
	hold("plain", true)
	p.want("/demo/", "[unavailable]")
	p.want("/plain/", "one")
	must(t, p.Resume(t.Context(), "demo", "ann"))
	p.want("/demo/", "2")
	for name, bad := range map[string]plugin.Pause{
		"a page over the limit": {RetryAfter: time.Minute, Page: strings.Repeat("x", plugin.MaxPage+1)},
		"no time":               {},
		"bytes that are none":   {RetryAfter: time.Minute, Page: "\xff"},
	} {
		if _, err := p.Pause(t.Context(), "demo", bad, "ann"); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := p.Pause(t.Context(), "nobody", pause, "ann"); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("nobody: %v", err)
	}
}
