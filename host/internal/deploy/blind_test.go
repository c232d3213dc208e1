package deploy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// TestNoLaterVersionReadsABlindSecret: one that names it in [config] does not serve,
// in no way, before the value is taken away.
func TestNoLaterVersionReadsABlindSecret(t *testing.T) {
	p := start(t)
	const outbound, secrets = "[outbound]\nallow = [\"https://api.example.com\"]", "[secrets.stripe]\nblind = \"https://api.example.com\""
	p.deploy(deploy.Upload{Module: pack(t, enginetest.Version("blind"), "demo", outbound, secrets)})
	set := func(value string) {
		t.Helper()
		if _, err := p.SetSecret(t.Context(), "demo", "stripe", value, "me"); err != nil {
			t.Fatal(err)
		}
	}
	set("sk_live_123456")
	if out := p.activate("demo", 1, false); !out.Activated {
		t.Fatalf("%+v", out)
	}
	const reads = "[config]\nstripe = { secret = true }"
	thief := deploy.Upload{Module: pack(t, enginetest.Version("thief"), "demo", outbound, reads)}
	refused := func() {
		t.Helper()
		waits(t, p.deploy(thief), "stripe was set as a blind secret")
		waits(t, p.activate("demo", 2, true), "stripe was set as a blind secret")
		if _, err := p.Preview(t.Context(), "demo", 2, time.Minute, false, "me"); fault.CodeOf(err) != fault.Conflict || !strings.Contains(err.Error(), "blind secret") {
			t.Errorf("a preview: %v", err)
		}
		p.want("/demo", "blind")
	}
	refused()
	set("sk_live_654321") // the newest version calls it a secret that guests read
	refused()
}
