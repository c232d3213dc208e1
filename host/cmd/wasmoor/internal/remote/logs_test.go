package remote

import (
	"testing"
	"time"
)

func TestMoment(t *testing.T) {
	now := time.Date(2026, 11, 29, 6, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"": "", "10m": "2026-11-29T05:50:00Z", "1h30m": "2026-11-29T04:30:00Z", "0s": "2026-11-29T06:00:00Z",
		"2026-11-29T05:00:00+01:00": "2026-11-29T04:00:00Z", "2026-11-29T05:00:00.25Z": "2026-11-29T05:00:00.25Z",
	} {
		if got, err := moment("--since", text, now); err != nil || got != want {
			t.Errorf("moment(%q) = %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"yesterday", "10", "-1m", "2026-11-29", "2026-11-29 05:00:00"} {
		if got, err := moment("--since", text, now); err == nil {
			t.Errorf("moment(%q) = %q", text, got)
		}
	}
}
