package deploy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/router"
)

// at wants a URL without scheme to lead to a version of a plugin, through a mount with
// that prefix; version 0 wants it to lead nowhere.
func (p *platform) at(url string, version int, prefix string) {
	p.t.Helper()
	host, path, _ := strings.Cut(url, "/")
	m, result := p.Route("GET", host, "/"+path, nil, nil)
	if result != router.Found {
		if version != 0 {
			p.t.Errorf("%s leads nowhere, want version %d", url, version)
		}
		return
	}
	defer m.Deployment.Release()
	if got := m.Deployment.Env().Version; got != version || m.Mount != prefix {
		p.t.Errorf("%s leads to version %d by %q, want version %d by %q", url, got, m.Mount, version, prefix)
	}
}

// TestSeveralMounts: a plugin serves at two paths and two hosts, each request knows the
// mount that it came through, and all of them move in one step.
func TestSeveralMounts(t *testing.T) {
	p := start(t)
	up := func(label, mounts string) deploy.Upload {
		return deploy.Upload{Mount: mounts, Label: label, Module: pack(t, enginetest.Version(label), "demo", "[[route]]", `pattern = "GET /x"`)}
	}
	if out := p.deploy(up("one", "/shop a.example/ /store b.example/s /shop/")); out.Mount != "/shop a.example/ /store b.example/s" {
		t.Errorf("mounted at %s", out.Mount)
	}
	everywhere := func(version int) {
		t.Helper()
		p.at("any/shop/x", version, "/shop")
		p.at("any/store/x", version, "/store")
		p.at("a.example/x", version, "")
		p.at("b.example/s/x", version, "/s")
		p.at("any/demo/x", 0, "")
		p.at("b.example/x", 0, "")
	}
	everywhere(1)
	p.deploy(up("two", "")) // stays where it is
	everywhere(2)
	p.restart()
	everywhere(2)

	// One of them moves.
	p.deploy(up("three", "/shop a.example/ /store c.example/s"))
	p.at("any/shop/x", 3, "/shop")
	p.at("c.example/s/x", 3, "/s")
	p.at("b.example/s/x", 0, "")

	// An older version serves at the mounts of today.
	if out := p.activate("demo", 1, false); out.Mount != "/shop a.example/ /store c.example/s" {
		t.Errorf("back at %s", out.Mount)
	}
	p.at("c.example/s/x", 1, "/s")
	events, err := p.registry.Audit(t.Context(), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, e := range events {
		for _, d := range e.Changes {
			said = append(said, d.String())
		}
	}
	if text := strings.Join(said, "\n"); !strings.Contains(text, "mount: /shop a.example/ /store b.example/s -> /shop a.example/ /store c.example/s") {
		t.Errorf("the audit says:\n%s", text)
	}

	// A preview is at its own address, whatever the mounts are.
	seen, err := p.Preview(t.Context(), "demo", 3, time.Hour, false, "me")
	if err != nil {
		t.Fatal(err)
	}
	p.at("a.example"+seen.Path+"/x", 3, seen.Path)
	p.at("a.example/x", 1, "")
}

// TestAConflictAtOneMountChangesNothing: neither at the others.
func TestAConflictAtOneMountChangesNothing(t *testing.T) {
	p := start(t)
	p.deploy(deploy.Upload{Mount: "b.example/", Module: pack(t, enginetest.Version("other"), "other")})
	p.deploy(deploy.Upload{Mount: "/demo a.example/", Module: pack(t, enginetest.Version("one"), "demo")})
	module := pack(t, enginetest.Version("two"), "demo")
	_, err := p.Deploy(t.Context(), deploy.Upload{Mount: "/new b.example/", Module: module})
	if fault.CodeOf(err) != fault.Conflict || !strings.Contains(err.Error(), "b.example/") || !strings.Contains(err.Error(), `"other"`) {
		t.Errorf("a conflict at the second mount: %v", err)
	}
	_, err = p.Activate(t.Context(), "demo", 1, "/new b.example/", false, false, "me")
	if fault.CodeOf(err) != fault.Conflict || !strings.Contains(err.Error(), "b.example/") {
		t.Errorf("an activation: %v", err)
	}
	for range 2 {
		p.at("any/demo/", 1, "/demo")
		p.at("a.example/", 1, "")
		p.at("any/new/", 0, "")
		if v, err := p.registry.Versions(t.Context(), "demo"); len(v) != 1 || err != nil {
			t.Errorf("%d versions are recorded, %v", len(v), err)
		}
		p.restart()
	}
	many := "/a"
	for i := range 50 {
		many += " /m" + strings.Repeat("x", i)
	}
	_, err = p.Deploy(t.Context(), deploy.Upload{Mount: many, Module: module})
	if fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), "51 mounts are named; a plugin has at most 32") {
		t.Errorf("51 mounts: %v", err)
	}
	_, err = p.Deploy(t.Context(), deploy.Upload{Mount: "/new /new/", Module: module, Canary: plan(t, "1%:1h")})
	if fault.CodeOf(err) != fault.Conflict || !strings.Contains(err.Error(), "--mount /new") {
		t.Errorf("a roll-out that moves: %v", err)
	}
}
