// Package log is the capability to write lines to the deployment's log. Package
// capabilities imports it.
package log

import (
	"log/slog"
	"strings"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
)

// Unit returns the capability.
func Unit() capability.Unit {
	return capability.Unit{Name: "log", Native: functions(), Extism: extism()}
}

// functions returns the host function of logging.
func functions() []capability.Func {
	return capability.Native(map[string]capability.Handler{abi.FnLogWrite: write})
}

var levels = [...]slog.Level{
	abi.LogDebug: slog.LevelDebug,
	abi.LogInfo:  slog.LevelInfo,
	abi.LogWarn:  slog.LevelWarn,
	abi.LogError: slog.LevelError,
}

func write(inv *invoke.Invocation, mem capability.Memory, args []uint64) int64 {
	level := uint32(args[0])
	message, okMessage := mem.Range(args[1], args[2])
	layout, okAttrs := mem.Range(args[3], args[4])
	switch {
	case !okMessage || !okAttrs:
		return int64(abi.BadPointer)
	case level >= uint32(len(levels)):
		return int64(abi.Invalid)
	case len(layout) > limit.LogLine:
		return int64(abi.Limit)
	}
	pairs, ok := abi.DecodePairs(string(layout), nil)
	if !ok {
		return int64(abi.Invalid)
	}
	start := message[:min(len(message), limit.LogLine+1)]
	inv.Log(levels[level], string(start), attrs(pairs)...)
	return int64(abi.OK)
}

func attrs(pairs []abi.Pair) []slog.Attr {
	if len(pairs) == 0 {
		return nil
	}
	list := make([]slog.Attr, len(pairs))
	for i, p := range pairs {
		list[i] = slog.String(text(p.Name), text(p.Value))
	}
	return list
}

func text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
