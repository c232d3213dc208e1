package deploy_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/operate"
	"github.com/wasmoor/wasmoor/host/internal/router"
)

// status returns the status of a plugin of d, whose data is p's.
func (p *platform) status(t *testing.T, d *deploy.Deployer, name string) adminapi.Plugin {
	t.Helper()
	s, err := operate.New(p.store, p.registry, d, nil, time.Now, nil).Plugin(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ask answers a request like platform.get, from another Deployer.
func ask(ctx context.Context, d *deploy.Deployer, path string) (string, error) {
	m, result := d.Route("GET", "localhost", path, nil, nil)
	if result != router.Found {
		return "", fault.New(fault.NotFound, "", "no route")
	}
	return answer(ctx, m)
}

// answer answers a request that was dispatched.
func answer(ctx context.Context, m deploy.Match) (string, error) {
	defer m.Deployment.Release()
	inv := &invoke.Invocation{Request: &invoke.Request{Head: abi.RequestHead{Method: "GET", Path: m.Path}}}
	_, err := m.Deployment.Do(ctx, inv, m.Limits())
	return string(inv.Reply.Body), err
}

func TestTheProbeServesTheFirstRequest(t *testing.T) {
	p := start(t)
	p.deploy(deploy.Upload{Module: pack(t, enginetest.Version("one"), "demo")})
	if s := p.status(t, p.Deployer, "demo"); s.State != adminapi.StateServing || s.Idle != 1 || s.Busy != 0 {
		t.Errorf("after the deploy: %+v, want it to have an idle instance", s)
	}
	p.want("/demo", "one")
}

func TestDeploymentsSleepUntilTheirFirstRequest(t *testing.T) {
	p := start(t)
	p.deploy(deploy.Upload{Module: pack(t, enginetest.Version("one"), "demo")})
	p.deploy(deploy.Upload{Module: pack(t, enginetest.Version("other"), "other")})
	p.restart()
	if s := p.status(t, p.Deployer, "demo"); s.State != adminapi.StateAsleep || s.Version != 1 || s.Idle != 0 {
		t.Errorf("after the restart: %+v, want it asleep", s)
	}
	p.want("/demo", "one")
	if s := p.status(t, p.Deployer, "demo"); s.State != adminapi.StateServing {
		t.Errorf("after a request: %+v, want it to serve", s)
	}
	if s := p.status(t, p.Deployer, "other"); s.State != adminapi.StateAsleep {
		t.Errorf("the other one: %+v, want it asleep", s)
	}
}

// restored returns a Deployer with what p has deployed, whose engine compiles
// when it is told to.
func (p *platform) restored() (*deploy.Deployer, gated) {
	p.t.Helper()
	gate := gated{p.engine, make(chan struct{}), make(chan struct{})}
	d := p.another(p.store, gate.Prepare)
	if err := d.Restore(context.Background()); err != nil {
		p.t.Fatal(err)
	}
	return d, gate
}

func TestASwapDuringAWake(t *testing.T) {
	p := start(t)
	p.deploy(deploy.Upload{Module: pack(t, enginetest.Version("one"), "demo")})
	p.deploy(deploy.Upload{Module: pack(t, enginetest.Version("two"), "demo")})
	if _, err := p.Activate(t.Context(), "demo", 1, "", false, false, "me"); err != nil {
		t.Fatal(err)
	}
	d, gate := p.restored()
	var waiting sync.WaitGroup
	for range 3 {
		m, _ := d.Route("GET", "localhost", "/demo", nil, nil)
		waiting.Go(func() {
			if got, err := answer(t.Context(), m); got != "one" || err != nil {
				t.Errorf("a request from before the swap: %q, %v; want one", got, err)
			}
		})
	}
	<-gate.entered // the wake
	activated := make(chan error, 1)
	go func() {
		_, err := d.Activate(context.Background(), "demo", 2, "", false, false, "me")
		activated <- err
	}()
	<-gate.entered
	gate.leave <- struct{}{}
	gate.leave <- struct{}{}
	waiting.Wait()
	if err := <-activated; err != nil {
		t.Fatal(err)
	}
	if got, err := ask(t.Context(), d, "/demo"); got != "two" || err != nil {
		t.Errorf("after the swap: %q, %v; want two", got, err)
	}
}

func TestADeletionDuringAWake(t *testing.T) {
	for _, purge := range []bool{false, true} {
		p := start(t)
		p.deploy(deploy.Upload{Module: pack(t, enginetest.Version("one"), "demo")})
		d, gate := p.restored()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { _, err := ask(ctx, d, "/demo"); ended <- err }()
		<-gate.entered
		if err := d.Delete(t.Context(), "demo", purge, "me"); err != nil {
			t.Fatal(err)
		}
		if _, err := ask(t.Context(), d, "/demo"); fault.CodeOf(err) != fault.NotFound {
			t.Errorf("after the deletion: %v, want not found", err)
		}
		cancel()
		if err := <-ended; fault.CodeOf(err) != fault.Unavailable {
			t.Errorf("the request that gave up: %v, want unavailable", err)
		}
		gate.leave <- struct{}{}
		if err := d.Close(t.Context()); err != nil { // it waits for what was loaded in vain
			t.Error(err)
		}
	}
}

// refusing is an engine that refuses a module for a while, as a newer one may.
type refusing struct {
	enginetest.Direct
	refuses error
}

func (e *refusing) Prepare(ctx context.Context, module []byte, o engine.Options) (engine.Program, error) {
	if e.refuses != nil {
		return nil, e.refuses
	}
	return e.Direct.Prepare(ctx, module, o)
}

func TestAModuleThatIsRefusedAtItsWake(t *testing.T) {
	p := start(t)
	p.deploy(deploy.Upload{Module: pack(t, enginetest.Version("one"), "demo")})
	why := fault.New(fault.Invalid, "prepare", "it has too many locals")
	d := p.another(p.store, (&refusing{p.engine, why}).Prepare)
	if err := d.Restore(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := p.status(t, d, "demo"); s.State != adminapi.StateAsleep {
		t.Errorf("nobody has looked yet: %+v, want it asleep", s)
	}
	if _, err := ask(t.Context(), d, "/demo"); fault.CodeOf(err) != fault.Unavailable || !errors.Is(err, why) {
		t.Errorf("a request: %v, want unavailable", err)
	}
	if s := p.status(t, d, "demo"); s.State != adminapi.StateFailed || !strings.Contains(s.Error, "locals") {
		t.Errorf("after a request: %+v, want it failed, and why", s)
	}
}

// TestAModuleThatComesBack: what was wrong may be put right while the host runs.
func TestAModuleThatComesBack(t *testing.T) {
	p := start(t)
	out := p.deploy(deploy.Upload{Module: pack(t, enginetest.Version("one"), "demo")})
	file := filepath.Join(p.modules(), strings.TrimPrefix(out.Digest, "sha256:")+".wasm")
	if err := os.Rename(file, file+".away"); err != nil {
		t.Fatal(err)
	}
	p.restart()
	p.want("/demo", "[unavailable]")
	if s := p.status(t, p.Deployer, "demo"); s.State != adminapi.StateFailed {
		t.Errorf("without its module: %+v, want it failed", s)
	}
	if err := os.Rename(file+".away", file); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Activate(t.Context(), "demo", 1, "", false, false, "me"); err != nil {
		t.Fatal(err)
	}
	p.want("/demo", "one")
}
