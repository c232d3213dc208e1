package deploy_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/registry"
	"github.com/wasmoor/wasmoor/host/internal/router"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// record replaces a record of the registry and returns what it was.
func (p *platform) record(key, value string) string {
	p.t.Helper()
	snap, err := p.store.Snapshot()
	if err != nil {
		p.t.Fatal(err)
	}
	tx := store.Begin(snap, 0, store.Quota{}, time.Now())
	defer tx.Close()
	data, ok, err := tx.Get([]byte(key))
	if err != nil || !ok {
		p.t.Fatalf("record %q: found %v, %v", key, ok, err)
	}
	before := string(data)
	if err := tx.Set([]byte(key), []byte(value), 0); err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.store.Commit(context.Background(), tx.Effects()); err != nil {
		p.t.Fatal(err)
	}
	return before
}

// TestRestoreWithCollidingRoutes deploys to a mount whose owner the host could
// not read for a while, as after a downgrade and an upgrade.
func TestRestoreWithCollidingRoutes(t *testing.T) {
	const manifestOfA = "registry/manifest/0000000000000010/0000000001"
	p := start(t)
	p.deploy(deploy.Upload{Module: pack(t, enginetest.Version("a"), "a")})
	p.deploy(deploy.Upload{Module: pack(t, enginetest.Version("other"), "other")})
	good := p.record(manifestOfA, "manifest_version = 2\n")
	p.restart()
	p.deploy(deploy.Upload{Mount: "/a", Module: pack(t, enginetest.Version("b"), "b")})
	p.want("/a", "b")
	p.record(manifestOfA, good)
	p.restart()
	p.want("/a", "a") // the older one
	p.want("/other", "other")
	s, err := p.Plugin(t.Context(), "b")
	if err != nil || s.State != adminapi.StateFailed || !strings.Contains(s.Error, `plugin "a"`) {
		t.Errorf("status %+v, %v; want failed, and whose routes it meets", s, err)
	}
	if out := p.deploy(deploy.Upload{Mount: "/b", Module: pack(t, enginetest.Version("b"), "b")}); !out.Activated {
		t.Errorf("deployed elsewhere: %q", out.Waiting)
	}
	p.want("/b", "b")
}

func TestListPassesOverAPluginThatIsBeingPurged(t *testing.T) {
	p := start(t)
	p.deploy(deploy.Upload{Module: pack(t, enginetest.Tiny(), "a")})
	p.deploy(deploy.Upload{Module: pack(t, enginetest.Tiny(), "b")})
	if err := p.store.Drop(t.Context(), 16); err != nil { // the first plugin's
		t.Fatal(err)
	}
	list, err := p.Plugins(t.Context())
	if err != nil || len(list) != 1 || list[0].Name != "b" {
		t.Errorf("listed %+v, %v; want b alone", list, err)
	}
	if _, err := p.Plugin(t.Context(), "a"); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("status of a: %v, want not found", err)
	}
}

// TestAPurgeEndsTheRoutesFirst looks at the routes while the data is removed.
func TestAPurgeEndsTheRoutesFirst(t *testing.T) {
	p := start(t)
	var d *deploy.Deployer
	dropped := 0
	st := dropping{p.store, func() {
		dropped++
		if _, result := d.Route("GET", "localhost", "/a", nil, nil); result != router.NotFound {
			t.Error("the data goes while the route is there")
		}
	}}
	d = p.another(st, p.engine.Prepare)
	if _, err := d.Deploy(t.Context(), deploy.Upload{Module: pack(t, enginetest.Tiny(), "a")}); err != nil {
		t.Fatal(err)
	}
	if err := d.Delete(t.Context(), "a", true, "me"); err != nil {
		t.Fatal(err)
	}
	if dropped != 1 {
		t.Errorf("data was dropped %d times, want once", dropped)
	}
}

// dropping is a store that tells when a key space is dropped.
type dropping struct {
	store.Store
	drop func()
}

func (s dropping) Drop(ctx context.Context, space store.Space) error {
	s.drop()
	return s.Store.Drop(ctx, space)
}

// gated is an engine that compiles when it is told to.
type gated struct {
	enginetest.Direct
	entered, leave chan struct{}
}

func (e gated) Prepare(ctx context.Context, module []byte, o engine.Options) (engine.Program, error) {
	e.entered <- struct{}{}
	<-e.leave
	return e.Direct.Prepare(ctx, module, o)
}

func TestChangesWaitForEachOther(t *testing.T) {
	p := start(t)
	p.deploy(deploy.Upload{Module: pack(t, enginetest.Tiny(), "a")})
	gate := gated{p.engine, make(chan struct{}), make(chan struct{})}
	d := p.another(p.store, gate.Prepare)
	done := make(chan error)
	go func() { _, err := d.Activate(context.Background(), "a", 1, "", false, false, "me"); done <- err }()
	<-gate.entered

	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	late, end := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer end()
	for want, ctx := range map[fault.Code]context.Context{fault.Unavailable: cancelled, fault.Deadline: late} {
		if _, err := d.Activate(ctx, "a", 1, "", false, false, "me"); fault.CodeOf(err) != want {
			t.Errorf("a change that did not get its turn: %v, want %s", err, want)
		}
		if err := d.Close(ctx); fault.CodeOf(err) != want || !errors.Is(err, ctx.Err()) {
			t.Errorf("Close during a change: %v, want %s", err, want)
		}
	}
	close(gate.leave)
	if err := <-done; err != nil {
		t.Fatalf("the change that was under way: %v", err)
	}
	if _, result := d.Route("GET", "localhost", "/a", nil, nil); result != router.NotFound {
		t.Error("a change that ended after Close made routes")
	}
	if err := d.Close(t.Context()); err != nil {
		t.Errorf("Close: %v", err)
	}
	if _, err := d.Activate(t.Context(), "a", 1, "", false, false, "me"); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("a change after Close: %v, want unavailable", err)
	}
	p.restart() // what was recorded serves then
	p.want("/a", "hello")
}

// A module that takes long to prepare keeps nobody else's change waiting, and meets
// another change of its own plugin.
func TestAChangeThatTakesLongKeepsNobodyWaiting(t *testing.T) {
	p := start(t)
	for _, name := range []string{"a", "b"} {
		p.deploy(deploy.Upload{Module: pack(t, enginetest.Tiny(), name)})
	}
	gate := gated{p.engine, make(chan struct{}), make(chan struct{})}
	d := p.another(p.store, gate.Prepare)
	defer func() { _ = d.Close(context.Background()) }()
	done := make(chan error)
	go func() { _, err := d.Activate(context.Background(), "a", 1, "", false, false, "me"); done <- err }()
	<-gate.entered
	if err := d.Delete(t.Context(), "b", false, "me"); err != nil {
		t.Errorf("a change of another plugin: %v", err)
	}
	if _, _, err := p.registry.Change(t.Context(), "a", registry.Change{CORS: &plugin.CORS{Origins: []string{"*"}}, By: "me"}); err != nil {
		t.Errorf("a change of the same plugin: %v", err)
	}
	close(gate.leave)
	<-gate.entered // again: the plugin is not what it was prepared for
	if err := <-done; err != nil {
		t.Error(err)
	}
	if it, err := p.registry.Installed(t.Context(), "a"); err != nil || it.CORS == nil || it.Deployment != 3 {
		t.Errorf("it is %+v, %v; want both changes", it, err)
	}
}

func TestCloseWaitsForRequests(t *testing.T) {
	p := start(t)
	d := p.another(p.store, p.engine.Prepare)
	if _, err := d.Deploy(t.Context(), deploy.Upload{Module: pack(t, enginetest.Tiny(), "a")}); err != nil {
		t.Fatal(err)
	}
	m, _ := d.Route("GET", "localhost", "/a", nil, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Close(ctx); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("Close with a running request: %v, want unavailable", err)
	}
	if _, result := d.Route("GET", "localhost", "/a", make([]abi.Pair, 0), nil); result != router.NotFound {
		t.Error("a route is left after Close")
	}
	m.Deployment.Release()
	if err := d.Close(t.Context()); err != nil {
		t.Errorf("Close after the request: %v", err)
	}
}

func TestAudit(t *testing.T) {
	p := start(t)
	p.deploy(deploy.Upload{Module: pack(t, enginetest.Tiny(), "a"), By: "ann"})
	events, err := p.registry.Audit(t.Context(), 1, 0)
	if err != nil || len(events) != 1 || events[0].Number != 2 || events[0].By != "ann" || events[0].Plugin != "a" {
		t.Errorf("events after the first: %+v, %v; want one activation by ann", events, err)
	}
}

// TestASlowUploadKeepsNobodyWaiting activates a version of one plugin while an
// upload of another initialises until its deadline.
func TestASlowUploadKeepsNobodyWaiting(t *testing.T) {
	p := start(t)
	p.deploy(deploy.Upload{Module: pack(t, enginetest.Version("one"), "demo")})
	b := enginetest.NewBuilder(1).Handle(new(enginetest.Code).I32(0))
	b.Func(abi.ExportInitialize, nil, nil, 0, new(enginetest.Code).Loop(func(c *enginetest.Code) { c.Br(0) }))
	failed := make(chan error, 1)
	go func() {
		_, err := p.Deploy(context.Background(), deploy.Upload{Module: pack(t, b.Bytes(), "slow")})
		failed <- err
	}()
	for range 3 {
		if _, err := p.Activate(t.Context(), "demo", 1, "", false, false, "me"); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case err := <-failed:
		t.Errorf("the upload ended before the activations: %v", err)
	default:
	}
	if err := <-failed; fault.CodeOf(err) != fault.Deadline {
		t.Errorf("an upload that initialises for ever: %v, want deadline", err)
	}
	p.want("/demo", "one")
}
