// Package system is the capability to read the clock and to draw randomness.
// Package capabilities imports it.
package system

import (
	"context"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
)

// Unit returns the capability.
func Unit() capability.Unit { return capability.Unit{Name: "system", Native: functions()} }

// functions returns the host functions of clock and randomness.
func functions() []capability.Func {
	return append(
		capability.Native(map[string]capability.Handler{abi.FnClockNow: now}),
		capability.Waiting(map[string]capability.Waiter{abi.FnRandomFill: fill})...)
}

func now(inv *invoke.Invocation, _ capability.Memory, _ []uint64) int64 {
	inv.Look(invoke.LookedAtClock)
	return inv.World().Now().UnixNano()
}

func fill(ctx context.Context, inv *invoke.Invocation, mem capability.Memory, args []uint64) (int64, error) {
	buf, ok := mem.Range(args[0], args[1])
	if !ok {
		return int64(abi.BadPointer), nil
	}
	inv.Look(invoke.LookedAtChance)
	return int64(len(buf)), capability.FillRandom(ctx, inv.World(), buf)
}
