package logs_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/logs"
)

// TestCommon: a line for each record, whatever a client has sent.
func TestCommon(t *testing.T) {
	at := time.Date(2026, 11, 29, 5, 26, 47, 0, time.Local)
	when := at.Format("02/Jan/2006:15:04:05 -0700")
	request := []slog.Attr{
		slog.String("method", "GET"), slog.String("path", "/a\"b"), slog.Int("status", 200), slog.Int("bytes", 12), slog.Float64("ms", 0.4),
		slog.String("remote", "192.0.2.1"), slog.String("user_agent", "x\ny\" \u202e"),
	}
	for _, tt := range []struct {
		combined bool
		attrs    []slog.Attr
		want     string
	}{
		{false, request, `192.0.2.1 - - [` + when + `] "GET /a\"b HTTP/1.1" 200 12`},
		{true, request, `192.0.2.1 - - [` + when + `] "GET /a\"b HTTP/1.1" 200 12 "-" "x\ny\" \u202e"`},
		{true, []slog.Attr{slog.Int("status", 400), slog.String("remote", "::1"), slog.String("reason", "why")}, `::1 - - [` + when + `] "-" 400 - "-" "-"`},
	} {
		var out strings.Builder
		log := logs.Common(&out, tt.combined)
		r := slog.NewRecord(at, slog.LevelInfo, "request", 0)
		r.AddAttrs(tt.attrs...)
		if err := log.Handler().Handle(context.Background(), r); err != nil || out.String() != tt.want+"\n" {
			t.Errorf("got  %q\nwant %q, %v", out.String(), tt.want, err)
		}
	}
	if log := logs.Common(nil, false); log.Enabled(context.Background(), slog.LevelDebug) || !log.Enabled(context.Background(), slog.LevelError) {
		t.Error("it takes other levels than the access log has")
	}
}
