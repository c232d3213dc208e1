package deploy_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/auth"
	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/consent"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/policy"
)

// under returns another Deployer of the platform, under a policy.
func (p *platform) under(text string) *deploy.Deployer {
	p.t.Helper()
	rules, err := policy.Parse([]byte(text))
	if err != nil {
		p.t.Fatal(err)
	}
	gate := new(consent.Gate)
	gate.Use(rules)
	d := deploy.New(deploy.Config{
		Store: p.store, Registry: p.registry, Prepare: p.engine.Prepare, Clock: time.Now, Log: slog.New(slog.DiscardHandler),
		Capabilities: capabilities.All(capabilities.Config{}), Gate: gate,
	})
	p.t.Cleanup(func() { _ = d.Close(context.Background()) })
	return d
}

func TestARuleApprovesAndADeployerOfAVersionDoesNot(t *testing.T) {
	p := start(t)
	d := p.under("separate_approver = true\n[[approve]]\nplugins = \"a\"\nkv_keys = 2000000")
	deployer := as(t, "ann", auth.Deployer)
	operator := as(t, "bob", auth.Operator)
	owner := as(t, "eve", auth.Owner)

	out, err := d.Deploy(deployer, deploy.Upload{Module: pack(t, enginetest.Counter(), "a", "[kv]", "keys = 2000000"), By: "ann"})
	if err != nil || !out.Activated || len(out.Asks) == 0 {
		t.Fatalf("a rule does not approve: %+v, %v", out, err)
	}
	more := pack(t, enginetest.Counter(), "a", "[kv]", "keys = 3000000")
	out, err = d.Deploy(operator, deploy.Upload{Module: more, By: "bob"})
	if err != nil || out.Activated {
		t.Fatalf("who deploys approves: %+v, %v", out, err)
	}
	waits(t, out, "another operator, as the policy says, grants it with: wasmoor approve a 2")
	if out, err = d.Activate(operator, "a", 2, "", false, false, "bob"); err != nil || out.Activated {
		t.Errorf("who deployed activates: %+v, %v", out, err)
	}
	for _, try := range []func() error{
		func() error { _, err := d.Activate(operator, "a", 2, "", true, false, "bob"); return err },
		func() error { _, err := d.RollOut(operator, "a", 2, plugin.Canary{}, true, "bob"); return err },
		func() error {
			_, err := d.Deploy(operator, deploy.Upload{Module: more, Grant: true, By: "bob"})
			return err
		},
	} {
		if err := try(); fault.CodeOf(err) != fault.Denied {
			t.Errorf("got %v, want denied", err)
		}
	}
	if out, err = d.Activate(owner, "a", 2, "", true, false, "eve"); err != nil || !out.Activated {
		t.Errorf("another does not approve: %+v, %v", out, err)
	}
}

// meanwhile is a context that does something when it is first asked whether it ended, as
// the wait for a change before this one does.
type meanwhile struct {
	context.Context
	do func()
}

func (m *meanwhile) Err() error {
	if do := m.do; do != nil {
		m.do = nil
		do()
	}
	return m.Context.Err()
}

// TestNobodyTakesThePlaceOfAVersion has an operator approve another's version, and put
// their own in its place, under its number, while the approval waits for its turn.
func TestNobodyTakesThePlaceOfAVersion(t *testing.T) {
	module := pack(t, enginetest.Counter(), "a", "[kv]", "keys = 2000000")
	bob := as(t, "bob", auth.Operator)
	for name, change := range map[string]func(*deploy.Deployer, context.Context) (deploy.Changed, error){
		"activate": func(d *deploy.Deployer, ctx context.Context) (deploy.Changed, error) {
			return d.Activate(ctx, "a", 1, "", true, false, "bob")
		},
		"roll out": func(d *deploy.Deployer, ctx context.Context) (deploy.Changed, error) {
			return d.RollOut(ctx, "a", 1, plugin.Canary{}, true, "bob")
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t)
			d := p.under("separate_approver = true")
			ann := as(t, "ann", auth.Deployer)
			if out, err := d.Deploy(ann, deploy.Upload{Module: module, By: "ann"}); err != nil || out.Activated {
				t.Fatalf("it does not wait: %+v, %v", out, err)
			}
			out, err := change(d, &meanwhile{bob, func() {
				if err := p.Delete(t.Context(), "a", true, "bob"); err != nil {
					t.Error(err)
				}
				if out, err := d.Deploy(bob, deploy.Upload{Module: module, By: "bob"}); err != nil || out.Activated {
					t.Errorf("%+v, %v", out, err)
				}
			}})
			if fault.CodeOf(err) != fault.Denied || out.Activated {
				t.Errorf("bob approves what bob deployed: %+v, %v", out, err)
			}
		})
	}
}
