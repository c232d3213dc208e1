package deploy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/auth"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/operate/services"
)

// TestBindIsNoApproval of one's own version, where the policy wants somebody else's.
func TestBindIsNoApproval(t *testing.T) {
	for _, how := range []adminapi.Bindings{{Bind: map[string]string{"stock": "stock"}}, {Unbind: []string{"stock"}}} {
		p := start(t)
		d := p.under("separate_approver = true")
		bob := as(t, "bob", auth.Operator)
		out, err := d.Deploy(bob, deploy.Upload{Module: pack(t, enginetest.Counter(), "a", "[services]", "stock = \"stock\""), By: "bob"})
		if err != nil || out.Activated {
			t.Fatalf("it does not wait: %+v, %v", out, err)
		}
		if _, err = services.New(p.registry, d).Bind(bob, "a", how, "bob"); fault.CodeOf(err) != fault.Denied {
			t.Errorf("bob binds for himself what he deployed: %v", err)
		}
		if out, err = d.Activate(bob, "a", 1, "", false, false, "bob"); err == nil && out.Activated {
			t.Errorf("bob serves what bob deployed, and nobody else approved: %+v", out.Waiting)
		}
	}
}

// TestRejectEndsPreviews of what was rejected.
func TestRejectEndsPreviews(t *testing.T) {
	p := start(t)
	ann, olga := as(t, "ann", auth.Deployer), as(t, "olga", auth.Operator)
	if _, err := p.Deploy(ann, deploy.Upload{Module: pack(t, enginetest.Counter(), "a"), By: "ann", Label: "1"}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Deploy(ann, deploy.Upload{Module: pack(t, enginetest.Counter(), "a"), By: "ann", Label: "2"}); err != nil {
		t.Fatal(err)
	}
	v, err := p.Preview(ann, "a", 1, 24*time.Hour, true, "ann")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Operator.Reject(olga, "a", 1, "it steals", "olga"); err != nil {
		t.Fatal(err)
	}
	if m, result := p.Route("GET", "x", v.Path+"/", nil, nil); m.Deployment != nil {
		m.Deployment.Release()
		t.Errorf("a rejected version serves: %v", result)
	}
}

// TestAboutOthers: nobody learns from their own plugin's asks what another team's may do.
func TestAboutOthers(t *testing.T) {
	p := start(t)
	if _, err := p.Deploy(as(t, "olga", auth.Owner), deploy.Upload{Module: pack(t, enginetest.Counter(), "victim", "[outbound]", `allow = ["https://secret-partner.example"]`), By: "olga"}); err != nil {
		t.Fatal(err)
	}
	ann := auth.With(t.Context(), auth.Identity{Name: "ann", Role: auth.Deployer, Plugins: "mine"})
	if _, err := p.Deploy(ann, deploy.Upload{Module: pack(t, enginetest.Counter(), "mine", "[services]", `v = "victim"`), By: "ann"}); err != nil {
		t.Fatal(err)
	}
	list, err := services.New(p.registry, p.Deployer).List(ann, "mine")
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	for _, line := range list[0].About {
		if strings.Contains(line, "secret-partner") {
			t.Error("a deployer of another plugin sees what victim may do")
		}
	}
}

// TestApprovalOfWhatWas: an upload that was no ask when it came, and would be one by now, is refused.
func TestApprovalOfWhatWas(t *testing.T) {
	p := start(t)
	d := p.under("")
	all := as(t, "olga", auth.Operator)
	team := auth.With(t.Context(), auth.Identity{Name: "sue", Role: auth.Operator, Plugins: "a"})
	if out, err := d.Deploy(all, deploy.Upload{Module: pack(t, enginetest.Counter(), "a"), Mount: "shop.example/", By: "olga"}); err != nil || !out.Activated {
		t.Fatal(out, err)
	}
	out, err := d.Deploy(&meanwhile{team, func() {
		if _, err := d.Activate(all, "a", 1, "/a", false, false, "olga"); err != nil {
			t.Error(err)
		}
	}}, deploy.Upload{Module: pack(t, enginetest.Counter(), "a"), Label: "2", Mount: "shop.example/", By: "sue"})
	if err == nil && out.Activated && out.Mount == "shop.example/" {
		t.Errorf("sue has taken back the mount: %+v", out.Mount)
	}
}
