package log_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/capability/log"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/limit"
)

// write calls log_write and returns its status and the line it made.
func write(t *testing.T, level uint64, message, attrs string) (abi.Status, map[string]any) {
	t.Helper()
	var text bytes.Buffer
	handler := slog.NewJSONHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug})
	g := &capability.Guest{Inv: enginetest.Invocation("", nil, slog.New(handler)), Mem: capability.Memory(message + attrs)}
	n := uint64(len(message))
	status := enginetest.Call(t, log.Unit().Native, g, abi.FnLogWrite, level, 0, n, n, uint64(len(attrs)))
	if text.Len() == 0 {
		return abi.Status(status), nil
	}
	line := map[string]any{}
	if err := json.Unmarshal(text.Bytes(), &line); err != nil {
		t.Fatalf("line %q: %v", text.Bytes(), err)
	}
	delete(line, "time")
	return abi.Status(status), line
}

func TestWrite(t *testing.T) {
	line := func(level, message string, guest ...string) map[string]any {
		l := map[string]any{"level": level, "msg": message, "request_id": "request-1"}
		if len(guest) > 0 {
			l["guest"] = map[string]any{guest[0]: guest[1]}
		}
		return l
	}
	pairs := func(name, value string) string {
		return string(abi.AppendPairs(nil, []abi.Pair{{Name: name, Value: value}}))
	}
	for _, test := range []struct {
		name           string
		level          uint64
		message, attrs string
		want           abi.Status
		line           map[string]any
	}{
		{"debug", 0, "m", "", abi.OK, line("DEBUG", "m")},
		{"info", 1, "m", "", abi.OK, line("INFO", "m")},
		{"warn", 2, "m", "", abi.OK, line("WARN", "m")},
		{"error", 3, "m", "", abi.OK, line("ERROR", "m")},
		{"no message", 1, "", "", abi.OK, line("INFO", "")},
		{"attribute", 1, "m", pairs("level", "forged"), abi.OK, line("INFO", "m", "level", "forged")},
		{"empty list", 1, "m", "\x00\x00\x00\x00", abi.OK, line("INFO", "m")},
		{"not text", 1, "a\xffb", pairs("k", "\xfe"), abi.OK, line("INFO", "a\uFFFDb", "k", "\uFFFD")},
		{"unknown level", 4, "m", "", abi.Invalid, nil},
		{"largest level", 1<<32 - 1, "m", "", abi.Invalid, nil},
		{"attributes cut short", 1, "m", pairs("k", "v")[:10], abi.Invalid, nil},
		{"attributes too large", 1, "m", pairs("k", strings.Repeat("v", limit.LogLine)), abi.Limit, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, line := write(t, test.level, test.message, test.attrs)
			if got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
			if diff := cmp.Diff(test.line, line); diff != "" {
				t.Errorf("line (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWriteCuts(t *testing.T) {
	for name, message := range map[string]string{
		"ASCII":             strings.Repeat("m", 2*limit.LogLine),
		"in a rune":         "m" + strings.Repeat("é", limit.LogLine),
		"one byte too many": strings.Repeat("m", limit.LogLine+1),
	} {
		t.Run(name, func(t *testing.T) {
			status, line := write(t, 1, message, "")
			got, _ := line["msg"].(string)
			if status != abi.OK || len(got) > limit.LogLine || len(got) < limit.LogLine-1 || !utf8.ValidString(got) {
				t.Errorf("got %v and %d bytes", status, len(got))
			}
			if !strings.HasPrefix(message, got) {
				t.Errorf("the line is no start of the message: ends with %q", got[len(got)-8:])
			}
		})
	}
}
