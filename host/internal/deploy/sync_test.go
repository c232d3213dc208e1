package deploy_test

import (
	"context"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// TestSync has one Deployer follow what another records.
func TestSync(t *testing.T) {
	p := start(t)
	follower, e := p.script(func(_ context.Context, inv *invoke.Invocation) error {
		inv.Reply.Body = append(inv.Reply.Body, inv.Env.Plugin...)
		inv.Reply.Body = append(inv.Reply.Body, '0'+byte(inv.Env.Version))
		return nil
	})
	demo := func(module string) {
		t.Helper()
		p.deploy(deploy.Upload{Module: pack(t, enginetest.Version(module), "demo", "[config]\nkey = {}")})
	}
	policy := plugin.CORS{Origins: []string{"https://a.example"}}
	for _, step := range []struct {
		name   string
		change func()
		path   string
		want   string // "" = nothing serves there
		made   int64  // instances, when it is synced and asked
	}{
		{"nobody", func() {}, "/demo", "", 0},
		{"a first deploy", func() { demo("a") }, "/demo", "demo1", 1},
		{"a second", func() { demo("b") }, "/demo", "demo2", 1},
		{"a rollback", func() { p.activate("demo", 1, false) }, "/demo", "demo1", 1},
		{"a var", func() { p.setVar("demo", "key") }, "/demo", "demo1", 1},
		{"a CORS policy", func() {
			_, err := p.SetCORS(t.Context(), "demo", policy, "me")
			must(t, err)
		}, "/demo", "demo1", 0},
		{"another mount", func() {
			p.deploy(deploy.Upload{Module: pack(t, enginetest.Tiny(), "demo"), Mount: "/there"})
		}, "/there", "demo3", 1},
		{"a delete", func() { must(t, p.Delete(t.Context(), "demo", false, "me")) }, "/there", "", 0},
		{"a deploy after it", func() { demo("c") }, "/there", "demo4", 1},
		{"a purge", func() { must(t, p.Delete(t.Context(), "demo", true, "me")) }, "/there", "", 0},
		{"a deploy after it", func() { demo("a") }, "/demo", "demo1", 1},
	} {
		step.change()
		before := e.made.Load()
		for range 2 { // the second has nothing to do
			must(t, follower.Sync(t.Context(), "demo"))
			got, err := ask(t.Context(), follower, step.path)
			if got != step.want || (step.want == "") != (fault.CodeOf(err) == fault.NotFound) {
				t.Errorf("after %s %s answers %q, %v, want %q", step.name, step.path, got, err, step.want)
			}
		}
		if n := e.made.Load() - before; n != step.made {
			t.Errorf("after %s %d instances were made, want %d", step.name, n, step.made)
		}
	}
	if _, err := ask(t.Context(), follower, "/there"); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("the old mount: %v, want not found", err)
	}
}

// TestWhatServesStaysWhenItsSuccessorCannot: neither a version that does not start
// nor a mount that is another's ends what answers.
func TestWhatServesStaysWhenItsSuccessorCannot(t *testing.T) {
	p := start(t)
	follower, e := p.script(func(_ context.Context, inv *invoke.Invocation) error {
		inv.Reply.Body = append(inv.Reply.Body, '0'+byte(inv.Env.Version))
		return nil
	})
	for _, name := range []string{"a", "b"} {
		p.deploy(deploy.Upload{Module: pack(t, enginetest.Version("1"), name)})
		must(t, follower.Sync(t.Context(), name))
	}
	p.deploy(deploy.Upload{Module: pack(t, enginetest.Version("2"), "a")})
	e.fails.Store(true)
	if err := follower.Sync(t.Context(), "a"); err == nil {
		t.Error("a version that cannot be prepared is no error")
	}
	e.fails.Store(false)
	must(t, p.Delete(t.Context(), "b", false, "me"))
	p.deploy(deploy.Upload{Module: pack(t, enginetest.Version("3"), "a"), Mount: "/b"})
	if err := follower.Sync(t.Context(), "a"); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("a mount that is another's here: %v, want a conflict", err)
	}
	for _, path := range []string{"/a", "/b"} {
		if got, err := ask(t.Context(), follower, path); got != "1" || err != nil {
			t.Errorf("%s answers %q, %v, want 1", path, got, err)
		}
	}
	must(t, follower.Sync(t.Context(), "b"))
	must(t, follower.Sync(t.Context(), "a"))
	if got, err := ask(t.Context(), follower, "/b"); got != "3" || err != nil {
		t.Errorf("in the end /b answers %q, %v, want 3", got, err)
	}
}
