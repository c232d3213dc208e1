package deploy_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/capability/outbound"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/egress"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/registry"
)

// scripted is an engine whose guests do what the test says.
type scripted struct {
	enginetest.Direct
	handle func(context.Context, *invoke.Invocation) error
	made   atomic.Int64 // instances
	fails  atomic.Bool  // nothing can be prepared
}

type scriptedProgram struct {
	engine.Program
	engine *scripted
}

type scriptedInstance struct {
	engine.Instance
	engine *scripted
}

func (s *scripted) Prepare(ctx context.Context, module []byte, o engine.Options) (engine.Program, error) {
	if s.fails.Load() {
		return nil, fault.New(fault.Internal, "prepare", "no space left on device")
	}
	p, err := s.Direct.Prepare(ctx, module, o)
	return scriptedProgram{p, s}, err
}

func (p scriptedProgram) Instance(ctx context.Context) (engine.Instance, error) {
	p.engine.made.Add(1)
	i, err := p.Program.Instance(ctx)
	return scriptedInstance{i, p.engine}, err
}

func (i scriptedInstance) Handle(ctx context.Context, inv *invoke.Invocation) error {
	return i.engine.handle(ctx, inv)
}

// script returns a Deployer on the platform's data whose guests do what handle
// says, and may call loopback addresses.
func (p *platform) script(handle func(context.Context, *invoke.Invocation) error) (*deploy.Deployer, *scripted) {
	p.t.Helper()
	reg, err := registry.Open(context.Background(), p.store, p.modules(), time.Now, capabilities.All(capabilities.Config{}))
	if err != nil {
		p.t.Fatal(err)
	}
	e := &scripted{Direct: p.engine, handle: handle}
	d := deploy.New(deploy.Config{
		Store: p.store, Registry: reg, Prepare: e.Prepare, Clock: time.Now, Log: slog.New(slog.DiscardHandler),
		Capabilities: capabilities.All(capabilities.Config{
			Network: egress.Network{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
		}),
	})
	p.t.Cleanup(func() {
		if err := d.Close(context.Background()); err != nil {
			p.t.Error(err)
		}
	})
	return d, e
}

// change is something an operator does to a plugin that serves.
type change struct {
	name string
	do   func(t *testing.T, d *deploy.Deployer)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func upload(t *testing.T, d *deploy.Deployer, lines ...string) {
	t.Helper()
	out, err := d.Deploy(t.Context(), deploy.Upload{Module: pack(t, enginetest.Tiny(), "demo", lines...), Grant: true})
	if err != nil || !out.Activated {
		t.Fatalf("deploy: %+v, %v", out, err)
	}
}

// changes are all ways to a new deployment of a plugin with some manifest.
func changes(lines ...string) []change {
	return []change{
		{"a deploy", func(t *testing.T, d *deploy.Deployer) { upload(t, d, lines...) }},
		{"a rollback", func(t *testing.T, d *deploy.Deployer) {
			_, err := d.Activate(t.Context(), "demo", 1, "", false, false, "me")
			must(t, err)
		}},
		{"a var", func(t *testing.T, d *deploy.Deployer) {
			_, err := d.SetVars(t.Context(), "demo", map[string]string{"key": "value"}, nil, "me")
			must(t, err)
		}},
		{"a CORS policy", func(t *testing.T, d *deploy.Deployer) {
			_, err := d.SetCORS(t.Context(), "demo", plugin.CORS{Origins: []string{"https://a.example"}}, "me")
			must(t, err)
		}},
	}
}

// again is a way to a plugin that has nothing of the one before but, without
// purge, its data.
func again(purge bool, lines ...string) change {
	return change{fmt.Sprintf("a delete and a deploy, purge=%t", purge), func(t *testing.T, d *deploy.Deployer) {
		must(t, d.Delete(t.Context(), "demo", purge, "me"))
		upload(t, d, lines...)
	}}
}

// TestTheLimitOfRequestsHoldsOverDeployments: a request that runs counts until it
// ends, whatever serves meanwhile.
func TestTheLimitOfRequestsHoldsOverDeployments(t *testing.T) {
	lines := []string{"[config]\nkey = {}", "[limits]", "concurrency = 1", `deadline = "30s"`}
	for _, c := range append(changes(lines...), again(false, lines...)) {
		t.Run(c.name, func(t *testing.T) {
			var running atomic.Int64
			entered, leave := make(chan struct{}, 1), make(chan struct{})
			d, _ := start(t).script(func(context.Context, *invoke.Invocation) error {
				if n := running.Add(1); n > 1 {
					t.Errorf("%d requests run, want 1", n)
				}
				defer running.Add(-1)
				entered <- struct{}{}
				<-leave
				return nil
			})
			upload(t, d, lines...)
			results := make(chan error)
			request := func(ctx context.Context) {
				_, err := ask(ctx, d, "/demo")
				results <- err
			}
			go request(t.Context())
			<-entered
			c.do(t, d)
			impatient, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			go request(impatient)
			if err := <-results; fault.CodeOf(err) != fault.Unavailable {
				t.Errorf("a second request while one runs: %v, want unavailable", err)
			}
			go request(t.Context()) // waits for the one that runs
			leave <- struct{}{}
			<-entered
			leave <- struct{}{}
			for range 2 {
				must(t, <-results)
			}
		})
	}
}

// broken is a service that answers 503 and counts who asks.
func broken(t *testing.T) (url string, asked *atomic.Int64) {
	asked = new(atomic.Int64)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(s.Close)
	return s.URL, asked
}

// TestABreakerHoldsOverDeployments: a service that is down is left alone, whatever
// the operator changes of the plugin that calls it.
func TestABreakerHoldsOverDeployments(t *testing.T) {
	url, asked := broken(t)
	lines := []string{"[config]\nkey = {}", "[outbound]", `allow = ["` + url + `"]`}
	for _, c := range changes(lines...) {
		t.Run(c.name, func(t *testing.T) {
			d, _ := start(t).script(func(ctx context.Context, inv *invoke.Invocation) error {
				calls := outbound.Calls(inv)
				handle, status, why := calls.Open(&abi.HTTPRequest{Method: "POST", URL: url})
				if status != abi.OK {
					t.Error(status, why)
				}
				_, _, err := calls.Send(ctx, []uint32{handle})
				return err
			})
			upload(t, d, lines...)
			for range 10 { // more than it takes
				_, err := ask(t.Context(), d, "/demo")
				must(t, err)
			}
			before := asked.Load()
			for _, c := range []struct {
				change
				calls int64
			}{{c, 0}, {again(false, lines...), 1}, {again(true, lines...), 2}} {
				c.do(t, d)
				_, err := ask(t.Context(), d, "/demo")
				must(t, err)
				if n := asked.Load() - before; n != c.calls {
					t.Errorf("after %s %d calls came through to a service that is down, want %d", c.name, n, c.calls)
				}
			}
		})
	}
}

// TestTheOutboundCacheHoldsOverDeployments.
func TestTheOutboundCacheHoldsOverDeployments(t *testing.T) {
	var asked atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.Header().Set("Cache-Control", "max-age=3600")
	}))
	defer s.Close()
	lines := []string{"[config]\nkey = {}", "[outbound]", `allow = ["` + s.URL + `"]`, "cache = true"}
	for _, c := range changes(lines...) {
		t.Run(c.name, func(t *testing.T) {
			asked.Store(0)
			d, _ := start(t).script(func(ctx context.Context, inv *invoke.Invocation) error {
				calls := outbound.Calls(inv)
				handle, _, _ := calls.Open(&abi.HTTPRequest{Method: "GET", URL: s.URL})
				_, _, err := calls.Send(ctx, []uint32{handle})
				for buf := make([]byte, 64); err == nil; {
					if n, _, _ := calls.Read(ctx, handle, buf); n == 0 {
						return nil
					}
				}
				return err
			})
			upload(t, d, lines...)
			for _, step := range []struct {
				change
				asked int64
			}{
				{c, 1},
				{again(false, lines...), 1},
				{again(true, lines...), 2},
				{change{"a version without the cache", func(t *testing.T, d *deploy.Deployer) { upload(t, d, lines[:len(lines)-1]...) }}, 3},
				{change{"the version before", func(t *testing.T, d *deploy.Deployer) { upload(t, d, lines...) }}, 4},
				{c, 5},
			} {
				_, err := ask(t.Context(), d, "/demo")
				must(t, err)
				if n := asked.Load(); n != step.asked {
					t.Fatalf("before %s the service was asked %d times, want %d", step.name, n, step.asked)
				}
				step.do(t, d)
			}
		})
	}
}

// TestAChangeOfCORSKeepsTheInstances: they have nothing to do with it.
func TestAChangeOfCORSKeepsTheInstances(t *testing.T) {
	p := start(t)
	d, e := p.script(func(context.Context, *invoke.Invocation) error { return nil })
	upload(t, d)
	before := e.made.Load()
	out, err := d.SetCORS(t.Context(), "demo", plugin.CORS{Origins: []string{"*"}}, "me")
	if err != nil || !out.Activated || out.Deployment != 2 {
		t.Errorf("got %+v, %v", out, err)
	}
	if _, err := ask(t.Context(), d, "/demo"); err != nil {
		t.Error(err)
	}
	if n := e.made.Load() - before; n != 0 {
		t.Errorf("it made %d instances, want the one there is to serve", n)
	}
	if s := p.status(t, d, "demo"); s.Deployment != 2 || s.Idle != 1 {
		t.Errorf("status %+v, want deployment 2 with the idle instance", s)
	}
}

// TestAnotherVersionsLimitHoldsAtOnce, and the old one's after a rollback, for
// whoever waits as well.
func TestAnotherVersionsLimitHoldsAtOnce(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	d, _ := start(t).script(func(context.Context, *invoke.Invocation) error {
		entered <- struct{}{}
		<-leave
		return nil
	})
	upload(t, d, "[limits]", "concurrency = 1", `deadline = "30s"`)
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			if _, err := ask(context.Background(), d, "/demo"); err != nil {
				t.Error(err)
			}
		})
	}
	<-entered
	upload(t, d, "[limits]", "concurrency = 2", `deadline = "30s"`)
	<-entered
	if _, err := d.Activate(t.Context(), "demo", 1, "", false, false, "me"); err != nil {
		t.Fatal(err)
	}
	leave <- struct{}{}
	select {
	case <-entered:
		t.Error("a second request runs after the rollback to a limit of 1")
	case <-time.After(20 * time.Millisecond):
	}
	leave <- struct{}{}
	<-entered
	leave <- struct{}{}
	all.Wait()
}

// TestTheLimitHoldsUnderDeploys: two operators deploy, activate and delete while
// clients ask.
func TestTheLimitHoldsUnderDeploys(t *testing.T) {
	const most = 2
	var running atomic.Int64
	d, _ := start(t).script(func(context.Context, *invoke.Invocation) error {
		if n := running.Add(1); n > most {
			t.Errorf("%d requests run, want %d at most", n, most)
		}
		defer running.Add(-1)
		time.Sleep(time.Millisecond)
		return nil
	})
	lines := []string{"[limits]", fmt.Sprintf("concurrency = %d", most)}
	upload(t, d, lines...)
	load, stop := context.WithCancel(t.Context())
	var clients, operators sync.WaitGroup
	for range 6 {
		clients.Go(func() {
			for load.Err() == nil {
				if _, err := ask(context.Background(), d, "/demo"); err != nil && fault.CodeOf(err) != fault.NotFound {
					t.Error(err)
				}
			}
		})
	}
	for range 2 {
		operators.Go(func() {
			for i := range 8 {
				if i == 4 {
					if err := d.Delete(t.Context(), "demo", false, "me"); err != nil && fault.CodeOf(err) != fault.NotFound {
						t.Error(err)
					}
				}
				upload(t, d, lines...)
				if _, err := d.Activate(t.Context(), "demo", 1, "", false, false, "me"); err != nil && fault.CodeOf(err) != fault.NotFound {
					t.Error(err)
				}
			}
		})
	}
	operators.Wait()
	stop()
	clients.Wait()
}
