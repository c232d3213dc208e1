package deploy_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/auth"
	"github.com/wasmoor/wasmoor/host/internal/consent"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// calls returns a module that asks for calls to hosts, and whose body says its name.
func calls(t *testing.T, name string, hosts ...string) []byte {
	t.Helper()
	if len(hosts) == 0 {
		return pack(t, enginetest.Version(name), "a")
	}
	return pack(t, enginetest.Version(name), "a", "[outbound]", `allow = ["https://`+strings.Join(hosts, `", "https://`)+`"]`, `reason = "to ask `+name+`"`)
}

// as returns a context of somebody with a role.
func as(t *testing.T, name string, role auth.Role) context.Context {
	return auth.With(t.Context(), auth.Identity{Name: name, Role: role, Plugins: auth.AllPlugins})
}

// by deploys as somebody, and wants it to serve or to wait.
func (p *platform) by(ctx context.Context, module []byte, serves bool) deploy.Changed {
	p.t.Helper()
	out, err := p.Deploy(ctx, deploy.Upload{Module: module, By: auth.From(ctx).Name})
	if err != nil || out.Activated != serves {
		p.t.Fatalf("deployed as %+v, %v; want it to serve: %v", out, err, serves)
	}
	return out
}

func (p *platform) granted() []string {
	p.t.Helper()
	it, err := p.registry.Plugin(p.t.Context(), "a")
	if err != nil {
		p.t.Fatal(err)
	}
	return plugin.Grant{}.Missing(it.Grant)
}

func (p *platform) wantGranted(want ...string) {
	p.t.Helper()
	if got := p.granted(); strings.Join(got, ", ") != strings.Join(want, ", ") {
		p.t.Errorf("granted %q, want %q", got, want)
	}
}

// seen returns the digest of what a version that waits asks for.
func (p *platform) seen(version int) string {
	p.t.Helper()
	list, err := p.Approvals(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	for _, a := range list {
		if a.Version == version {
			return a.Digest
		}
	}
	p.t.Fatalf("version %d waits for no approval: %+v", version, list)
	return ""
}

const toOne, toTwo = "outbound to https://one.example", "outbound to https://two.example"

func TestAGrantFallsToWhatTheVersionThatServesAsksFor(t *testing.T) {
	p := start(t)
	ann, olga := as(t, "ann", auth.Deployer), as(t, "olga", auth.Operator)
	p.by(olga, calls(t, "1", "one.example", "two.example"), true)
	p.wantGranted(toOne, toTwo)
	out := p.by(ann, calls(t, "2", "one.example"), true) // asking for less is automatic
	p.wantGranted(toOne)
	if len(out.Asks) != 1 || out.Asks[0] != (consent.Ask{What: toTwo, Less: true}) {
		t.Errorf("it told %+v", out.Asks)
	}
	waits(t, p.by(ann, calls(t, "3", "one.example", "two.example"), false), "it asks for "+toTwo+` ("to ask 3"), which is not granted; an operator grants it with: wasmoor approve a 3`, toOne)
	p.want("/a", "2")
	p.restart()
	p.wantGranted(toOne)

	// What was approved once may serve again, and has what it had.
	if out, err := p.Activate(ann, "a", 1, "", false, false, "ann"); err != nil || !out.Activated {
		t.Errorf("no way back: %+v, %v", out, err)
	}
	p.wantGranted(toOne, toTwo)
	if out, err := p.Activate(ann, "a", 2, "", false, false, "ann"); err != nil || !out.Activated {
		t.Errorf("no way forward: %+v, %v", out, err)
	}
	p.wantGranted(toOne)
	p.by(ann, calls(t, "4"), true)
	p.wantGranted()

	// Unless somebody has rejected it since.
	if err := p.Reject(olga, "a", 1, "two.example is gone", "olga"); err != nil {
		t.Fatal(err)
	}
	for _, ctx := range []context.Context{ann, olga} {
		if _, err := p.Activate(ctx, "a", 1, "", false, false, "x"); fault.CodeOf(err) != fault.Conflict || !strings.Contains(fault.MessageOf(err), `rejected by olga ("two.example is gone")`) {
			t.Errorf("what was rejected is activated: %v", err)
		}
	}
	p.wantGranted()
	p.want("/a", "4")
}

func TestARollOutShrinksTheGrantAtItsEnd(t *testing.T) {
	p := start(t)
	olga := as(t, "olga", auth.Operator)
	p.by(olga, calls(t, "1", "one.example"), true)
	out, err := p.Deploy(olga, deploy.Upload{Module: calls(t, "2", "two.example"), Canary: plan(t, "5%:1h")})
	if err != nil || out.Rollout == nil {
		t.Fatalf("%+v, %v", out, err)
	}
	p.wantGranted(toOne, toTwo) // both versions serve
	if err := p.Promote(t.Context(), "a", true, "olga"); err != nil {
		t.Fatal(err)
	}
	p.wantGranted(toTwo)
	if out, err := p.RollOut(as(t, "ann", auth.Deployer), "a", 1, plan(t, "5%:1h"), false, "ann"); err != nil || out.Rollout == nil {
		t.Errorf("what served once does not roll out again: %+v, %v", out, err)
	}
}

// TestNobodyApprovesWhatTheyHaveNotSeen: between the look and the approval the plugin is
// deleted with all versions and deployed anew, or another version shrinks the grant.
func TestNobodyApprovesWhatTheyHaveNotSeen(t *testing.T) {
	ann, olga := as(t, "ann", auth.Deployer), as(t, "olga", auth.Operator)
	for name, meanwhile := range map[string]func(*platform){
		"another plugin of that name asks for more": func(p *platform) {
			if err := p.Delete(p.t.Context(), "a", true, "ann"); err != nil {
				p.t.Fatal(err)
			}
			p.by(olga, calls(p.t, "1", "one.example"), true)
			p.by(ann, calls(p.t, "2", "one.example", "two.example", "evil.example"), false)
		},
		"the grant has shrunk, so that it asks for more": func(p *platform) { p.by(ann, calls(p.t, "3"), true) },
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t)
			p.by(olga, calls(t, "1", "one.example"), true)
			p.by(ann, calls(t, "2", "one.example", "two.example"), false)
			seen := p.seen(2)
			meanwhile(p)
			before := p.granted()
			_, err := p.Approve(olga, "a", 2, seen, "olga")
			if said := fault.MessageOf(err); fault.CodeOf(err) != fault.Conflict || !strings.Contains(said, "not what was shown to you; it is now:") ||
				!strings.Contains(said, "\n  + "+toTwo+` ("to ask 2")`) {
				t.Errorf("got %v", err)
			}
			p.wantGranted(before...)
		})
	}
}

func TestApprovingWhatWasSeen(t *testing.T) {
	p := start(t)
	ann, olga := as(t, "ann", auth.Deployer), as(t, "olga", auth.Operator)
	p.by(olga, calls(t, "1", "one.example"), true)
	p.by(ann, calls(t, "2", "two.example"), false)
	p.by(ann, calls(t, "3", "three.example"), false) // changes nothing of what version 2 asks for
	if _, err := p.Approve(ann, "a", 2, p.seen(2), "ann"); fault.CodeOf(err) != fault.Denied {
		t.Errorf("a deployer approves: %v", err)
	}
	out, err := p.Approve(olga, "a", 2, p.seen(2), "olga")
	if err != nil || !out.Activated || len(out.Asks) != 2 || out.Asks[0] != (consent.Ask{What: toTwo, Reason: "to ask 2"}) || out.Asks[1] != (consent.Ask{What: toOne, Less: true}) {
		t.Fatalf("%+v, %v", out, err)
	}
	p.wantGranted(toTwo)
	for version, why := range map[int]string{2: "waits for no approval", 1: "waits for no approval"} {
		if _, err := p.Approve(olga, "a", version, "", "olga"); fault.CodeOf(err) != fault.Conflict || !strings.Contains(fault.MessageOf(err), why) {
			t.Errorf("version %d: %v", version, err)
		}
	}
	seen := p.seen(3)
	if err := p.Reject(olga, "a", 3, "", "olga"); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Approve(olga, "a", 3, seen, "olga"); fault.CodeOf(err) != fault.Conflict || !strings.Contains(fault.MessageOf(err), "rejected by olga;") {
		t.Errorf("what was rejected is approved: %v", err)
	}
	if _, err := p.Preview(olga, "a", 3, time.Minute, false, "olga"); fault.CodeOf(err) != fault.Conflict || !strings.Contains(fault.MessageOf(err), "rejected by olga;") {
		t.Errorf("what was rejected has a preview: %v", err)
	}
	if list, err := p.Approvals(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("what waits: %+v, %v", list, err)
	}
	p.wantGranted(toTwo)
}

func TestAPreviewThatWaitsTellsEachWhatToDo(t *testing.T) {
	p := start(t)
	ann := as(t, "ann", auth.Deployer)
	p.by(as(t, "olga", auth.Operator), calls(t, "1"), true)
	p.by(ann, calls(t, "2", "two.example"), false)
	_, err := p.Preview(ann, "a", 2, time.Minute, false, "ann")
	if fault.CodeOf(err) != fault.Conflict || !strings.Contains(fault.MessageOf(err), "an operator grants it with: wasmoor approve a 2") {
		t.Errorf("got %v", err)
	}
}

// TestNoRuleApprovesForWhoMayNot: where the policy wants two people, a rule is one of them
// for a deployer, and not for an operator, who may have written it.
func TestNoRuleApprovesForWhoMayNot(t *testing.T) {
	p := start(t)
	d := p.under("separate_approver = true\n[[approve]]\nplugins = \"a\"\nhosts = [\"https://one.example\", \"https://two.example\"]")
	ann, olga := as(t, "ann", auth.Deployer), as(t, "olga", auth.Operator)
	out, err := d.Deploy(olga, deploy.Upload{Module: calls(t, "1", "one.example"), By: "olga"})
	if err != nil || out.Activated {
		t.Errorf("a rule approves what its author may have deployed: %+v, %v", out, err)
	}
	waits(t, out, "another operator, as the policy says, grants it with: wasmoor approve a 1")
	if _, err := d.Approve(olga, "a", 1, p.seen(1), "olga"); fault.CodeOf(err) != fault.Denied {
		t.Errorf("she approves it herself: %v", err)
	}
	if out, err := d.Deploy(ann, deploy.Upload{Module: calls(t, "2", "two.example"), By: "ann"}); err != nil || !out.Activated {
		t.Errorf("a rule does not approve for a deployer: %+v, %v", out, err)
	}
	if out, err := d.Approve(as(t, "eve", auth.Operator), "a", 1, p.digest(1), "eve"); err != nil || !out.Activated {
		t.Errorf("another operator does not approve: %+v, %v", out, err)
	}
}

// digest is seen for a version that is older than the one that serves.
func (p *platform) digest(version int) string {
	p.t.Helper()
	versions, err := p.Versions(p.t.Context(), "a")
	if err != nil {
		p.t.Fatal(err)
	}
	for _, v := range versions {
		if v.Number == version {
			return v.AskDigest
		}
	}
	return ""
}
