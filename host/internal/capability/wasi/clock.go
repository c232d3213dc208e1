package wasi

import (
	"context"
	"fmt"

	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
)

// Clock ids. The clocks of CPU time do not exist here.
const (
	realtime  = 0
	monotonic = 1
)

// resolution of both clocks, in nanoseconds: what guests may rely on.
const resolution = 1000

// now reads a clock of the guest, in nanoseconds.
func now(g *capability.Guest, clock uint32) (uint64, bool) {
	switch clock {
	case realtime:
		g.Look(invoke.LookedAtClock)
		return uint64(g.World().Now().UnixNano()), true
	case monotonic:
		return uint64(g.Monotonic()), true
	default:
		return 0, false
	}
}

func clockResGet(g *capability.Guest, args []uint64) errno {
	out, ok := g.Mem.Range(args[1], 8)
	if !ok {
		return fault
	}
	if _, known := now(g, uint32(args[0])); !known {
		return inval
	}
	le.PutUint64(out, resolution)
	return success
}

func clockTimeGet(g *capability.Guest, args []uint64) errno {
	out, ok := g.Mem.Range(args[2], 8)
	if !ok {
		return fault
	}
	t, known := now(g, uint32(args[0]))
	if !known {
		return inval
	}
	le.PutUint64(out, t)
	return success
}

func randomGet(ctx context.Context, g *capability.Guest, args []uint64) (uint64, error) {
	buf, ok := g.Mem.Range(args[0], args[1])
	if !ok {
		return uint64(fault), nil
	}
	g.Look(invoke.LookedAtChance)
	return uint64(success), capability.FillRandom(ctx, g.World(), buf)
}

func procExit(_ context.Context, _ *capability.Guest, args []uint64) (uint64, error) {
	return 0, fmt.Errorf("%w with code %d", capability.ErrExit, uint32(args[0]))
}
