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
// lines are kept, a note says when the first is dropped, and End how many were. What
// a guest names its attributes is its own: they come grouped, so that they cannot
// pass for the host's.
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

// tellDropped says how many lines of the attempt were dropped.
func (inv *Invocation) tellDropped() {
	if dropped := inv.logLines - limit.LogLines; dropped > 0 {
		inv.Env.Log.LogAttrs(context.Background(), slog.LevelWarn, "lines of the guest were dropped",
			slog.String("request_id", inv.Request.Head.RequestID), slog.Int("lines", dropped))
	}
	inv.logLines = 0
}

func (inv *Invocation) log(level slog.Level, message string, attrs []slog.Attr) {
	of := make([]slog.Attr, 0, 3)
	of = append(of, slog.String("request_id", inv.Request.Head.RequestID))
	if id := inv.Request.TraceID(); id != "" {
		of = append(of, slog.String("trace_id", id))
	}
	if len(attrs) > 0 {
		of = append(of, slog.GroupAttrs("guest", attrs...))
	}
	inv.Env.Log.LogAttrs(context.Background(), level, message, of...)
}

// Notice is something that a guest tries in vain, of which the log says once in an
// attempt what it could do instead.
type Notice uint16

// The notices.
const (
	NoFiles Notice = 1 << iota
	NoSockets
	NoKV
	NoVar
	NoQueue
	NoSocket
	KVLimit   // of a key, a value or all writes
	CallLimit // of what a call sends or gets
	NoWebhook
	NoSQL
	SQLLimit // of a statement, a row, or all writes
	NoBlobs
	BlobLimit // of a blob, or of all
)

// Notice logs a notice unless the attempt has it already.
func (inv *Invocation) Notice(n Notice, message string) {
	if inv.notices&n == 0 {
		inv.notices |= n
		inv.Log(slog.LevelWarn, message)
	}
}

// Died says in the log, whatever else the guest has logged, why the attempt failed and
// where the guest was, the innermost call first.
func (inv *Invocation) Died(why string, stack []string) {
	if inv.Env.Log == nil {
		return
	}
	var attrs []slog.Attr
	if len(stack) > 0 {
		attrs = append(attrs, slog.String("stack", strings.Join(stack, "\n")))
	}
	inv.log(slog.LevelError, Cut(why, limit.LogLine), attrs)
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
