package e2e

import (
	"os/exec"
	"strings"
	"testing"
)

// TestDemo runs the demo of examples/shop, shorter than make demo does: three plugins in
// one transaction, killed while customers buy.
func TestDemo(t *testing.T) {
	t.Parallel()
	lasts, kills, clients := "5s", "2", "16"
	if *soak {
		lasts, kills, clients = "90s", "10", "64"
	}
	cmd := exec.Command("go", "run", "./examples/shop/demo", "-for", lasts, "-kills", kills, "-clients", clients)
	cmd.Dir = "../.."
	out, err := endsWithTest(cmd).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if ok := strings.Count(string(out), "\n  ok "); ok != 6 || !strings.Contains(string(out), "killed "+kills+" times with -9") {
		t.Errorf("%d sums hold, want 6:\n%s", ok, out)
	}
}
