package deploy_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/router"
)

func TestCORS(t *testing.T) {
	p := start(t)
	p.deploy(deploy.Upload{Module: pack(t, enginetest.Tiny(), "demo", "[[route]]", `pattern = "GET /"`)})
	policy := plugin.CORS{Origins: []string{"https://a.example"}, MaxAge: 60}
	serves := func(want *plugin.CORS) {
		t.Helper()
		m, result := p.Route("GET", "h", "/demo/", nil, nil)
		if result != router.Found {
			t.Fatalf("Route: %v", result)
		}
		m.Deployment.Release()
		if diff := cmp.Diff(want, m.CORS); diff != "" {
			t.Errorf("policy of a route (-want +got):\n%s", diff)
		}
		m, _ = p.Route("PUT", "h", "/demo/", nil, nil)
		if diff := cmp.Diff(want, m.CORS); diff != "" {
			t.Errorf("policy of a refusal (-want +got):\n%s", diff)
		}
	}
	code := func(what string, err error, want fault.Code) {
		t.Helper()
		if got := fault.CodeOf(err); got != want {
			t.Fatalf("%s: %v, want code %q", what, err, want)
		}
	}
	serves(nil)
	_, err := p.UnsetCORS(t.Context(), "demo", "me")
	code("unset what is not set", err, fault.NotFound)
	_, err = p.Operator.CORS(t.Context(), "demo")
	code("show what is not set", err, fault.NotFound)
	_, err = p.SetCORS(t.Context(), "demo", plugin.CORS{}, "me")
	code("set a policy without origins", err, fault.Invalid)
	out, err := p.SetCORS(t.Context(), "demo", policy, "me")
	code("set", err, "")
	if !out.Activated || out.Deployment != 2 {
		t.Errorf("set: %+v, want deployment 2", out)
	}
	serves(&policy)
	p.deploy(deploy.Upload{Module: pack(t, enginetest.Tiny(), "demo", "[[route]]", `pattern = "GET /"`, `[[route]]`, `pattern = "POST /"`)})
	p.restart()
	serves(&policy)
	deployments, err := p.Deployments(t.Context(), "demo", 0)
	code("deployments", err, "")
	if deployments[0].CORS == nil || deployments[len(deployments)-1].CORS != nil {
		t.Errorf("the deployments have the policies %v and %v", deployments[0].CORS, deployments[len(deployments)-1].CORS)
	}
	_, err = p.UnsetCORS(t.Context(), "demo", "me")
	code("unset", err, "")
	serves(nil)
}

// A policy may be set before anything serves.
func TestCORSBeforeTheFirstDeployment(t *testing.T) {
	p := start(t)
	if _, err := p.Deploy(t.Context(), deploy.Upload{Module: pack(t, enginetest.Tiny(), "demo"), NoActivate: true}); err != nil {
		t.Fatal(err)
	}
	out, err := p.SetCORS(t.Context(), "demo", plugin.CORS{Origins: []string{"*"}}, "me")
	if err != nil || out.Activated || len(out.Waiting) == 0 {
		t.Fatalf("set: %+v, %v; want what it waits for", out, err)
	}
	if got, err := p.Operator.CORS(t.Context(), "demo"); err != nil || !slices.Equal(got.Origins, []string{"*"}) {
		t.Errorf("got %+v, %v", got, err)
	}
}
