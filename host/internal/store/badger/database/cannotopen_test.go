package database

import (
	"errors"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// TestCannotOpen has errors as Badger words them: some of them do not unwrap.
func TestCannotOpen(t *testing.T) {
	for _, tt := range []struct {
		err  string
		code fault.Code
		want string
	}{
		{`Cannot write pid file "s/LOCK" err: open s/LOCK: permission denied`, fault.Unavailable, "cannot be written to"},
		{`Cannot write pid file "s/LOCK" err: open s/LOCK: read-only file system`, fault.Unavailable, "cannot be written to"},
		{`Cannot acquire directory lock on "s". Another process is using this Badger database. err: busy`, fault.Unavailable, "another process"},
		{"manifest has bad magic", fault.Invalid, "is damaged"},
	} {
		err := CannotOpen("s", errors.New(tt.err))
		if fault.CodeOf(err) != tt.code || !strings.Contains(fault.MessageOf(err), tt.want) {
			t.Errorf("%s: %v, want %v with %q", tt.err, err, tt.code, tt.want)
		}
	}
}
