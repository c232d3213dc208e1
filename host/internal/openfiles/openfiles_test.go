package openfiles

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

func TestConnsFitTheLimitOfFiles(t *testing.T) {
	for _, test := range []struct {
		most, open int64
		want       int // 0 = refused
		told       bool
	}{
		{1 << 20, 20, 10_000, false},
		{10_000 + 20 + others, 20, 10_000, false},
		{10_000 + 19 + others, 20, 9_999, true},
		{1024, 20, 1024 - 20 - others, true},
		{20 + others + fewest, 20, fewest, true},
		{19 + others + fewest, 20, 0, false},
		{256, 20, 0, false},
	} {
		var log strings.Builder
		got, err := fit(10_000, test.most, test.open, slog.New(slog.NewTextHandler(&log, nil)))
		if got != test.want || (err != nil) != (test.want == 0) || err != nil && fault.CodeOf(err) != fault.Unavailable {
			t.Errorf("%d files, %d open: %d connections, %v, want %d", test.most, test.open, got, err, test.want)
		}
		if told := strings.Contains(log.String(), "ulimit -n"); told != test.told {
			t.Errorf("%d files, %d open: the log says %q", test.most, test.open, log.String())
		}
	}
}
