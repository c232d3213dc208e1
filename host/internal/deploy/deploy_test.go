package deploy_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/engine/native"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/operate"
	"github.com/wasmoor/wasmoor/host/internal/registry"
	"github.com/wasmoor/wasmoor/host/internal/router"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
)

// platform is a Deployer on a real store and a real engine.
type platform struct {
	*deploy.Deployer
	*operate.Operator
	t      *testing.T
	dir    string
	store  *badger.Store
	engine enginetest.Direct

	registry *registry.Registry
}

func start(t *testing.T) *platform {
	t.Helper()
	p := &platform{t: t, dir: t.TempDir()}
	p.open()
	t.Cleanup(p.close)
	return p
}

func (p *platform) open() {
	p.t.Helper()
	ctx := context.Background()
	var err error
	if p.store, err = badger.Open(badger.Config{Dir: filepath.Join(p.dir, "store"), Reserve: -1}); err != nil {
		p.t.Fatal(err)
	}
	if p.registry, err = registry.Open(ctx, p.store, p.modules(), time.Now, capabilities.All(capabilities.Config{})); err != nil {
		p.t.Fatal(err)
	}
	p.engine = enginetest.InProcess(native.New(native.Config{Functions: capabilities.All(capabilities.Config{}).Native()}))
	p.Deployer = deploy.New(deploy.Config{
		Store: p.store, Registry: p.registry, Prepare: p.engine.Prepare, Clock: time.Now, Log: slog.New(slog.DiscardHandler),
		Capabilities: capabilities.All(capabilities.Config{}),
	})
	p.Operator = operate.New(p.store, p.registry, p.Deployer, nil, time.Now, capabilities.All(capabilities.Config{}))
	if err := p.Restore(ctx); err != nil {
		p.t.Fatal(err)
	}
}

// another returns a Deployer of its own on the platform's data, closed with the
// test.
func (p *platform) another(st store.Store, prepare engine.Prepare) *deploy.Deployer {
	p.t.Helper()
	reg, err := registry.Open(context.Background(), st, p.modules(), time.Now, capabilities.All(capabilities.Config{}))
	if err != nil {
		p.t.Fatal(err)
	}
	d := deploy.New(deploy.Config{Store: st, Registry: reg, Prepare: prepare, Clock: time.Now, Log: slog.New(slog.DiscardHandler), Capabilities: capabilities.All(capabilities.Config{})})
	p.t.Cleanup(func() {
		if err := d.Close(context.Background()); err != nil {
			p.t.Error(err)
		}
	})
	return d
}

func (p *platform) modules() string { return filepath.Join(p.dir, "modules") }

func (p *platform) close() {
	ctx := context.Background()
	for _, err := range []error{p.Close(ctx), p.engine.Close(ctx), p.store.Close()} {
		if err != nil {
			p.t.Error(err)
		}
	}
}

func (p *platform) restart() {
	p.close()
	p.open()
}

// pack puts lines of TOML behind what every manifest needs.
func pack(t *testing.T, module []byte, name string, lines ...string) []byte {
	t.Helper()
	text := "manifest_version = 1\nname = \"" + name + "\"\n" + strings.Join(lines, "\n")
	packed, err := wasmbin.WithCustomSection(module, abi.ManifestSection, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

func (p *platform) deploy(up deploy.Upload) deploy.Changed {
	p.t.Helper()
	out, err := p.Deploy(p.t.Context(), up)
	if err != nil {
		p.t.Fatal(err)
	}
	return out
}

// get answers a request as the public listener would: the body, or the fault's
// code in brackets.
func (p *platform) get(path string) string {
	p.t.Helper()
	m, result := p.Route("GET", "localhost", path, nil, nil)
	if result != router.Found {
		return "[not_found]"
	}
	defer m.Deployment.Release()
	inv := &invoke.Invocation{Request: &invoke.Request{Head: abi.RequestHead{Method: "GET", Path: m.Path}}}
	if _, err := m.Deployment.Do(p.t.Context(), inv, m.Limits()); err != nil {
		return "[" + string(fault.CodeOf(err)) + "]"
	}
	return string(inv.Reply.Body)
}

// count calls a Counter guest and returns what it counted to.
func (p *platform) count(path string) uint64 {
	p.t.Helper()
	n, err := strconv.ParseUint(p.get(path), 10, 64)
	if err != nil {
		p.t.Fatalf("GET %s did not answer a count: %v", path, err)
	}
	return n
}

func (p *platform) want(path, want string) {
	p.t.Helper()
	if got := p.get(path); got != want {
		p.t.Errorf("GET %s answered %q, want %q", path, got, want)
	}
}

func TestDeploySwapAndBack(t *testing.T) {
	p := start(t)
	first := p.deploy(deploy.Upload{Module: pack(t, enginetest.Version("one"), "demo")})
	if !first.Activated || first.Version != 1 || first.Mount != "/demo" || first.Deployment != 1 {
		t.Errorf("the first deploy: %+v", first)
	}
	p.want("/demo", "one")
	second := p.deploy(deploy.Upload{Module: pack(t, enginetest.Version("two"), "demo")})
	if second.Version != 2 || second.Deployment != 2 {
		t.Errorf("the second deploy: %+v", second)
	}
	p.want("/demo/below", "two")
	if _, err := p.Activate(t.Context(), "demo", 1, "", false, false, "me"); err != nil {
		t.Fatal(err)
	}
	p.want("/demo", "one")
	p.restart()
	p.want("/demo", "one")
	s, err := p.Plugin(t.Context(), "demo")
	if err != nil || s.State != adminapi.StateServing || s.Version != 1 || s.Versions != 2 || s.Deployment != 3 {
		t.Errorf("status after the restart: %+v, %v", s, err)
	}
}

func TestRunningRequestsKeepTheirVersion(t *testing.T) {
	p := start(t)
	p.deploy(deploy.Upload{Module: pack(t, enginetest.Version("one"), "demo")})
	m, _ := p.Route("GET", "localhost", "/demo", nil, nil)
	p.deploy(deploy.Upload{Module: pack(t, enginetest.Version("two"), "demo")})
	p.want("/demo", "two")
	inv := &invoke.Invocation{Request: &invoke.Request{}}
	if _, err := m.Deployment.Do(t.Context(), inv, m.Limits()); err != nil || string(inv.Reply.Body) != "one" {
		t.Errorf("the request that was dispatched before the swap got %q, %v; want one", inv.Reply.Body, err)
	}
	m.Deployment.Release()
}

func TestAFailureLeavesWhatServes(t *testing.T) {
	p := start(t)
	p.deploy(deploy.Upload{Module: pack(t, enginetest.Version("one"), "demo")})
	p.deploy(deploy.Upload{Module: pack(t, enginetest.Tiny(), "other", `[[route]]`, `pattern = "GET /x"`)})
	good := enginetest.Version("two")
	tests := []struct {
		name string
		up   deploy.Upload
		code fault.Code
		say  []string // what the message must name
	}{
		{"not wasm", deploy.Upload{Name: "demo", Module: []byte("#!/bin/sh\n")}, fault.Invalid, []string{"WebAssembly"}},
		{"truncated", deploy.Upload{Name: "demo", Module: good[:len(good)-3]}, fault.Invalid, []string{"inspect"}},
		{"empty", deploy.Upload{Name: "demo"}, fault.Invalid, []string{"WebAssembly"}},
		{"unknown manifest key", deploy.Upload{Module: pack(t, good, "demo", "rout = 1")}, fault.Invalid, []string{"rout", "3"}},
		{"bad name", deploy.Upload{Name: "No Good", Module: good}, fault.Invalid, []string{"No Good"}},
		{"bad mount", deploy.Upload{Name: "demo", Mount: "nowhere", Module: good}, fault.Invalid, []string{"nowhere"}},
		{"no name anywhere", deploy.Upload{Module: good}, fault.Invalid, []string{"manifest"}},
		{"no handler", deploy.Upload{Name: "demo", Module: pack(t, enginetest.NewBuilder(1).Bytes(), "demo")}, fault.Invalid, []string{"prepare", abi.ExportHandle}},
		{"mount of another plugin", deploy.Upload{Name: "demo", Mount: "/other", Module: good}, fault.Conflict, []string{"demo", "other"}},
		{"routes of another plugin", deploy.Upload{Mount: "/other", Module: pack(t, good, "third", `[[route]]`, `pattern = "GET /{any}"`, `[[route]]`, `pattern = "GET /x"`)}, fault.Conflict, []string{"stage", "third", "other", "GET /x"}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			before, err := p.Plugins(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			_, err = p.Deploy(t.Context(), tc.up)
			if fault.CodeOf(err) != tc.code {
				t.Fatalf("got %v, want code %s", err, tc.code)
			}
			for _, word := range tc.say {
				if told := fault.MessageOf(err); !strings.Contains(told, word) {
					t.Errorf("the message %q does not name %q", told, word)
				}
			}
			p.want("/demo", "one")
			after, err := p.Plugins(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(after) != len(before) || after[0].Versions != before[0].Versions {
				t.Errorf("the registry has changed: %+v, was %+v", after, before)
			}
		})
	}
}

func TestAVersionThatAsksForMoreWaits(t *testing.T) {
	p := start(t)
	p.deploy(deploy.Upload{Module: pack(t, enginetest.Version("one"), "demo")})
	out := p.deploy(deploy.Upload{Module: pack(t, enginetest.Counter(), "demo", "[kv]")})
	if out.Activated || len(out.Waiting) != 1 || !strings.Contains(out.Waiting[0], "wasmoor approve demo 2") {
		t.Fatalf("got %+v, want a version that waits and says how to grant", out)
	}
	p.want("/demo", "one")
	out, err := p.Activate(t.Context(), "demo", 2, "", true, false, "me")
	if err != nil || !out.Activated {
		t.Fatalf("activate with grant: %+v, %v", out, err)
	}
	p.count("/demo")
}

func TestVars(t *testing.T) {
	p := start(t)
	module := pack(t, enginetest.Tiny(), "demo", "[config]", `key = { required = true, secret = true }`, `greeting = { default = "hi" }`)
	out := p.deploy(deploy.Upload{Module: module})
	if out.Activated || !strings.Contains(strings.Join(out.Waiting, " "), "wasmoor secret set demo key") {
		t.Fatalf("got %+v, want a version that waits for its var", out)
	}
	_, err := p.SetVars(t.Context(), "demo", map[string]string{"kay": "s3cret"}, nil, "me")
	if fault.CodeOf(err) != fault.NotFound || !strings.Contains(err.Error(), "greeting, key") {
		t.Errorf("setting a var that nobody declares: %v, want not found with the names that are", err)
	}
	if _, err := p.SetVars(t.Context(), "demo", map[string]string{"key": "s3cret"}, nil, "me"); err != nil {
		t.Fatal(err)
	}
	if out, err := p.Activate(t.Context(), "demo", 1, "", false, false, "me"); err != nil || !out.Activated {
		t.Fatalf("activate: %+v, %v", out, err)
	}
	p.want("/demo", "hello")
	if _, err := p.SetVars(t.Context(), "demo", nil, []string{"key"}, "me"); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("unsetting what the serving version requires: %v, want a conflict", err)
	}
	if _, err := p.SetVars(t.Context(), "demo", nil, []string{"greeting"}, "me"); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("unsetting what is not set: %v, want not found", err)
	}
	out, err = p.SetVars(t.Context(), "demo", map[string]string{"greeting": "hello"}, nil, "me")
	if err != nil || !out.Activated || out.Deployment != 2 {
		t.Errorf("setting a var of a serving plugin: %+v, %v; want deployment 2", out, err)
	}
	p.restart()
	vars, err := p.Vars(t.Context(), "demo")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range vars {
		switch {
		case v.Name == "key" && (v.Value != "" || !v.Set || !v.Secret):
			t.Errorf("the secret is listed as %+v", v)
		case v.Name == "greeting" && v.Value != "hello":
			t.Errorf("greeting is listed as %+v", v)
		}
	}
	if len(vars) != 2 {
		t.Errorf("got %d vars, want 2", len(vars))
	}
}

func TestTwoNamesOfOneDigestShareNothing(t *testing.T) {
	p := start(t)
	module := pack(t, enginetest.Counter(), "a", "[kv]")
	a := p.deploy(deploy.Upload{Module: module})
	b := p.deploy(deploy.Upload{Name: "b", Module: module})
	if a.Digest != b.Digest || b.Mount != "/b" {
		t.Fatalf("deployed as %+v and %+v", a, b)
	}
	p.count("/a")
	p.count("/a")
	if third, first := p.count("/a"), p.count("/b"); third != first+2 {
		t.Errorf("the third count at /a is %d and the first at /b is %d: they share a key space", third, first)
	}
	if err := p.Delete(t.Context(), "a", true, "me"); err != nil {
		t.Fatal(err)
	}
	p.want("/a", "[not_found]")
	p.count("/b")
	p.restart()
	p.count("/b") // the module is still there
}

func TestDeleteKeepsDataUnlessPurged(t *testing.T) {
	p := start(t)
	module := pack(t, enginetest.Counter(), "demo", "[kv]")
	p.deploy(deploy.Upload{Module: module})
	first := p.count("/demo")
	if err := p.Delete(t.Context(), "demo", false, "me"); err != nil {
		t.Fatal(err)
	}
	p.want("/demo", "[not_found]")
	p.restart()
	p.deploy(deploy.Upload{Module: module, Grant: true})
	if got := p.count("/demo"); got != first+1 {
		t.Errorf("counted %d after delete and deploy, want %d", got, first+1)
	}
	if err := p.Delete(t.Context(), "demo", true, "me"); err != nil {
		t.Fatal(err)
	}
	p.deploy(deploy.Upload{Module: module})
	if got := p.count("/demo"); got != first {
		t.Errorf("counted %d after a purge, want %d", got, first)
	}
}

func TestADamagedModuleDoesNotStopTheOthers(t *testing.T) {
	p := start(t)
	p.deploy(deploy.Upload{Module: pack(t, enginetest.Version("good"), "good")})
	// It shares a mount: as broken it must claim its own routes and no more.
	route := func(path string) []string { return []string{"[[route]]", `pattern = "GET ` + path + `"`} }
	p.deploy(deploy.Upload{Mount: "/shared", Module: pack(t, enginetest.Version("neighbour"), "neighbour", route("/here")...)})
	out := p.deploy(deploy.Upload{Mount: "/shared", Module: pack(t, enginetest.Version("bad"), "bad", route("/there")...)})
	file := filepath.Join(p.modules(), strings.TrimPrefix(out.Digest, "sha256:")+".wasm")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-1] ^= 1
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	p.restart()
	p.want("/good", "good")
	p.want("/shared/here", "neighbour")
	p.want("/shared/there", "[unavailable]")
	if s, err := p.Plugin(t.Context(), "bad"); err != nil || s.State != adminapi.StateFailed || s.Error == "" {
		t.Errorf("status %+v, %v; want failed with a reason", s, err)
	}
	p.deploy(deploy.Upload{Module: pack(t, enginetest.Version("new"), "bad", route("/there")...)})
	p.want("/shared/there", "new")
}

func TestMountMovesWithAnActivation(t *testing.T) {
	p := start(t)
	p.deploy(deploy.Upload{Module: pack(t, enginetest.Version("one"), "demo")})
	out := p.deploy(deploy.Upload{Mount: "/elsewhere/", Module: pack(t, enginetest.Version("two"), "demo")})
	if out.Mount != "/elsewhere" {
		t.Errorf("mounted at %s", out.Mount)
	}
	p.want("/elsewhere", "two")
	p.want("/demo", "[not_found]")
	p.restart()
	p.want("/elsewhere", "two")
}

func TestNoActivate(t *testing.T) {
	p := start(t)
	out := p.deploy(deploy.Upload{Module: pack(t, enginetest.Tiny(), "demo"), NoActivate: true})
	if out.Activated || len(out.Waiting) != 1 {
		t.Errorf("got %+v", out)
	}
	p.want("/demo", "[not_found]")
	if s, err := p.Plugin(t.Context(), "demo"); err != nil || s.State != adminapi.StateStopped {
		t.Errorf("status %+v, %v; want stopped", s, err)
	}
	if _, err := p.Activate(t.Context(), "demo", 2, "", false, false, "me"); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("activating a version that does not exist: %v, want not found", err)
	}
}

func TestOutcomeNamesItsSteps(t *testing.T) {
	p := start(t)
	out := p.deploy(deploy.Upload{Module: pack(t, enginetest.Tiny(), "demo")})
	var names []string
	for _, s := range out.Steps {
		names = append(names, s.Name)
	}
	if want := []string{"inspect", "prepare", "probe", "stage", "activate"}; !slices.Equal(names, want) {
		t.Errorf("steps %v, want %v", names, want)
	}
}
