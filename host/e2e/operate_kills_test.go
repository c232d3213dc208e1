package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

// killed is a server that is killed during each kind of change, over and over on the same data.
type killed struct {
	*server
	dir, backups string
	deployer     string // a token
	uploads      int
}

// TestKilledAtEachStep kills the server while a deploy, an approval, an activation, each
// step of a roll-out, a way back and a backup are made. What it finds then is whole: a
// valid version serves, the audit verifies and has each deployment, a version is approved
// and serves or does neither, and each backup that is listed can be restored.
func TestKilledAtEachStep(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(seeded(t), 3))
	k := &killed{dir: t.TempDir(), backups: t.TempDir()}
	k.start(t)
	var made struct{ Secret string }
	k.api(&made, "POST", "/v1/tokens", []byte(`{"name":"dora","role":"deployer"}`)...)
	k.deployer = made.Secret
	for range 2 {
		if a := k.upload(k.token, ""); a.status != http.StatusCreated {
			t.Fatal(a)
		}
	}
	one := func(method, path, body string) func() answer {
		return func() answer { a, _ := k.tryAdmin(t.Context(), method, path, []byte(body)); return a }
	}
	const of = "/v1/plugins/shop"
	for range often(1, 40) {
		for _, step := range []struct {
			name    string
			prepare func() answer // what comes first, and must be done
			act     func() answer // what the kill is in the middle of
			within  int           // milliseconds
		}{
			{"deploy", nil, func() answer { return k.upload(k.token, "") }, 80},
			{"approve", func() answer { return k.upload(k.deployer, "[outbound]\nallow = [\"https://api%d.example\"]") }, func() answer {
				return one("POST", of+"/deployments", fmt.Sprintf(`{"version":%d,"grant":true}`, k.newest()))()
			}, 40},
			{"activate", nil, one("POST", of+"/deployments", `{"version":1}`), 30},
			{"begin a roll-out", one("POST", of+"/deployments", `{"version":1}`), one("POST", of+"/deployments", `{"version":2,"canary":"5%:1h,50%:1h"}`), 30},
			{"its next step", one("POST", of+"/deployments", `{"version":2,"canary":"5%:1h,50%:1h"}`), one("POST", of+"/rollout", `{"act":"promote"}`), 8},
			{"its end", nil, one("POST", of+"/rollout", `{"act":"promote","full":true}`), 8},
			{"the way back", nil, one("POST", of+"/deployments", `{"version":1}`), 30},
			{"backup", nil, one("POST", "/v1/backups", ""), 60},
		} {
			if step.prepare != nil {
				step.prepare() // it is refused where the kill before was after its change
			}
			done := make(chan answer, 1)
			go func() { done <- step.act() }()
			time.Sleep(time.Duration(rng.IntN(1000*step.within)) * time.Microsecond) // when it is killed is what the test varies
			k.kill()
			got := <-done
			k.start(t)
			k.whole(step.name, got)
		}
	}
}

func (k *killed) start(t *testing.T) {
	k.server = serve(t, k.dir, "--backup-to", k.backups)
}

// upload sends a new version, with more of a manifest.
func (k *killed) upload(token, more string) answer {
	k.uploads++
	if more != "" {
		more = fmt.Sprintf(more, k.uploads)
	}
	module := pack(k.t, enginetest.Version(fmt.Sprint("upload ", k.uploads)), "shop", more)
	a, _ := send(k.t.Context(), "POST", k.admin+"/v1/plugins/shop/versions", token, strings.NewReader(string(module)))
	return a
}

func (k *killed) newest() int {
	var versions []struct{ Number int }
	k.api(&versions, "GET", "/v1/plugins/shop/versions")
	return versions[0].Number
}

// whole wants what a server has after a kill to be whole.
func (k *killed) whole(step string, got answer) {
	k.t.Helper()
	var p struct {
		Version, Deployment int
		State               string
	}
	k.api(&p, "GET", "/v1/plugins/shop")
	if a := k.get("/shop/"); p.State == "failed" || a.status != 200 {
		k.t.Fatalf("%s: the plugin is %+v, and answers %v", step, p, a)
	}
	if step == "activate" && got.status == http.StatusCreated && p.Version != 1 {
		k.t.Errorf("%s was acknowledged, and version %d serves", step, p.Version)
	}
	var events []adminapi.Event
	k.api(&events, "GET", "/v1/audit")
	activated, uploaded := 0, 0
	for _, e := range events {
		switch e.Action {
		case "activate":
			activated++
		case "install", "upload":
			uploaded++
		}
	}
	if activated != p.Deployment || uploaded != k.newest() {
		k.t.Errorf("%s: %d deployments and %d versions, and the audit has %d and %d", step, p.Deployment, k.newest(), activated, uploaded)
	}
	k.mustCLI("", "audit", "verify")
	var waiting []adminapi.Approval
	k.api(&waiting, "GET", "/v1/approvals")
	if step == "approve" {
		waits := len(waiting) > 0 && waiting[len(waiting)-1].Version == k.newest()
		if serves := p.Version == k.newest(); waits == serves {
			k.t.Errorf("version %d waits: %v, and serves: %v", k.newest(), waits, serves)
		}
		if acknowledged := got.status == http.StatusCreated; acknowledged && waits {
			k.t.Error("the approval was acknowledged, and is lost")
		}
	}
	if step != "backup" {
		return
	}
	var all adminapi.Backups
	k.api(&all, "GET", "/v1/backups")
	for _, b := range all.Backups {
		k.mustCLI("", "backup", "verify", filepath.Join(k.backups, b.Name))
	}
}
