package public

import (
	"log/slog"
	"slices"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/serve"
)

// A request that was refused before a guest ran had no effect, and says so.
func TestAccessRecordHasAnOutcome(t *testing.T) {
	attrs := (&exchange{match: Match{Target: serve.Target{Deployment: &guest{}}}}).answered()
	if !slices.ContainsFunc(attrs, slog.String("outcome", "none").Equal) {
		t.Errorf("got %v, want the outcome none", attrs)
	}
}
