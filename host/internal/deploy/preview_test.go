package deploy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/router"
)

// TestPreview: a version answers at an address that nobody can guess, with the data of
// its plugin, until its time is over.
func TestPreview(t *testing.T) {
	p := start(t)
	p.deploy(deploy.Upload{Module: pack(t, enginetest.Version("one"), "demo"), Mount: "/"})
	p.deploy(deploy.Upload{Module: pack(t, enginetest.Version("two"), "demo"), NoActivate: true})
	first, err := p.Preview(t.Context(), "demo", 2, time.Hour, false, "me")
	if err != nil || !strings.HasPrefix(first.Path, "/__preview/") || len(first.Path) < 35 {
		t.Fatalf("%+v, %v", first, err)
	}
	p.want(first.Path, "two")
	p.want(first.Path+"/below", "two")
	p.want("/__preview/guessed", "one")
	p.want("/", "one")
	m, _ := p.Route("POST", "localhost", first.Path+"/x", nil, nil)
	if !m.Preview || !m.Dropped || m.Mount != first.Path || m.Path != "/x" || m.Idempotency() != 0 || !m.Deployment.Env().Preview {
		t.Errorf("the match is %+v", m)
	}
	m.Deployment.Release()
	kept, err := p.Preview(t.Context(), "demo", 1, time.Hour, true, "me")
	if err != nil {
		t.Fatal(err)
	}
	if m, _ := p.Route("GET", "localhost", kept.Path, nil, nil); m.Dropped {
		t.Error("what is to be kept is dropped")
	} else {
		m.Deployment.Release()
	}
	short, err := p.Preview(t.Context(), "demo", 2, time.Millisecond, false, "me")
	for err == nil && p.get(short.Path) == "two" {
		time.Sleep(time.Millisecond) // until its time is over
	}
	p.want(short.Path, "one")
	if n, err := p.EndPreviews(t.Context(), "demo", "me"); n != 2 || err != nil {
		t.Errorf("%d previews ended, %v", n, err)
	}
	p.want(first.Path, "one")
	for range 8 {
		if first, err = p.Preview(t.Context(), "demo", 2, time.Hour, false, "me"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.Preview(t.Context(), "demo", 2, time.Hour, false, "me"); fault.CodeOf(err) != fault.Exhausted {
		t.Errorf("a ninth: %v", err)
	}
	if _, err := p.Preview(t.Context(), "demo", 7, time.Hour, false, "me"); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("of no version: %v", err)
	}
	events, err := p.registry.Audit(t.Context(), 0, 0)
	if e := events[len(events)-1]; err != nil || e.Action != plugin.ActionPreview || e.Version != 2 || e.Detail != "for 1h0m0s, what it writes is dropped" || strings.Contains(e.Detail, first.Path) {
		t.Errorf("the event: %+v, %v", e, err)
	}
	if err := p.Delete(t.Context(), "demo", false, "me"); err != nil {
		t.Fatal(err)
	}
	if _, result := p.Route("GET", "localhost", first.Path, nil, nil); result != router.NotFound {
		t.Error("a preview outlives its plugin")
	}
}
