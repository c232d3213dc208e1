package invoke

import (
	"context"
	"log/slog"
	"strings"
	"unicode/utf8"

	"github.com/wasmoor/wasmoor/host/internal/limit"
)

// Log keeps a line of the guest in the deployment's log, with the request id.
// The message is cut at limit.LogLine; of an attempt at most limit.LogLines
// lines are kept, and a note says when the first is dropped. What a guest names
// its attributes is its own: they come grouped, so that they cannot pass for
// the host's.
func (inv *Invocation) Log(level slog.Level, message string, attrs ...slog.Attr) {
	if inv.Env.Log == nil {
		return
	}
	inv.logLines++
	switch {
	case inv.logLines <= limit.LogLines:
		inv.log(level, Cut(message, limit.LogLine), attrs)
	case inv.logLines == limit.LogLines+1:
		inv.log(slog.LevelWarn, "the guest logs more lines than an invocation may; the rest is dropped", nil)
	}
}

func (inv *Invocation) log(level slog.Level, message string, attrs []slog.Attr) {
	id := slog.String("request_id", inv.Request.Head.RequestID)
	if len(attrs) == 0 {
		inv.Env.Log.LogAttrs(context.Background(), level, message, id)
		return
	}
	inv.Env.Log.LogAttrs(context.Background(), level, message, id, slog.GroupAttrs("guest", attrs...))
}

// Cut returns the start of s as valid UTF-8 of at most size bytes.
func Cut(s string, size int) string {
	s = strings.ToValidUTF8(s[:min(len(s), size+utf8.UTFMax)], "\uFFFD")
	if len(s) <= size {
		return s
	}
	for size > 0 && !utf8.RuneStart(s[size]) {
		size--
	}
	return s[:size]
}

// Fail keeps a failure of the host that the guest is told nothing of but
// abi.Internal.
func (inv *Invocation) Fail(err error) {
	if inv.Env.Log != nil {
		inv.log(slog.LevelError, "host function failed: "+err.Error(), nil)
	}
}
