package log

import (
	"context"
	"log/slog"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability"
)

// extism returns the functions for plugins of Extism.
func extism() []capability.Func {
	list := []capability.Func{{Module: capability.ExtismEnv, Name: "get_log_level", Results: []abi.Type{abi.I32}, Call: level}}
	for _, l := range []struct {
		name  string
		level slog.Level
	}{
		{"log_trace", slog.LevelDebug},
		{"log_debug", slog.LevelDebug},
		{"log_info", slog.LevelInfo},
		{"log_warn", slog.LevelWarn},
		{"log_error", slog.LevelError},
	} {
		list = append(list, capability.Func{
			Module: capability.ExtismEnv, Name: l.name, Params: []abi.Type{abi.I64}, Call: blockAt(l.level),
		})
	}
	return list
}

// blockAt writes the text of a block as a line of that level, and frees it.
func blockAt(level slog.Level) capability.Call {
	return func(_ context.Context, g *capability.Guest, args []uint64) (uint64, error) {
		if g.Inv != nil {
			g.Inv.Log(level, g.Text(args[0]))
		}
		g.Blocks.Free(args[0])
		return 0, nil
	}
}

// Levels of get_log_level, as Extism numbers them.
const (
	levelTrace = 0
	levelInfo  = 2
	levelOff   = 1<<31 - 1
)

// level tells a guest below what level nobody reads its lines.
func level(_ context.Context, g *capability.Guest, _ []uint64) (uint64, error) {
	switch {
	case g.Inv == nil || g.Inv.Env.Log == nil:
		return levelOff, nil
	case g.Inv.Env.Log.Enabled(context.Background(), slog.LevelDebug):
		return levelTrace, nil
	default:
		return levelInfo, nil
	}
}
