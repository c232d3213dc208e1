package public

import (
	"log/slog"
	"slices"
	"testing"
)

// A request that was refused before a guest ran had no effect, and says so.
func TestAccessRecordHasAnOutcome(t *testing.T) {
	attrs := (&call{match: Match{Service: &guest{}}}).answered()
	if !slices.ContainsFunc(attrs, slog.String("outcome", "none").Equal) {
		t.Errorf("got %v, want the outcome none", attrs)
	}
}
