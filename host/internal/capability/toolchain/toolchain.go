// Package toolchain has what compilers import from the JavaScript around a module,
// where it means something without one: what AssemblyScript's runtime and standard
// library ask for, and the notice of Emscripten that its memory grew. Package
// capabilities imports it; engine/machine says of other imports what leaves them out.
package toolchain

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"unicode/utf16"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
)

// Module is the module that these compilers import from.
const Module = "env"

// f64 is the value type, of which abi has no need.
const f64 abi.Type = 0x7c

// Unit returns the capability.
func Unit() capability.Unit {
	return capability.Unit{Name: "toolchain", Native: functions(), Extism: functions()}
}

func functions() []capability.Func {
	funcs := []capability.Func{
		function("emscripten_notify_memory_growth", "i", "", grown),
		function("abort", "iiii", "", abort),
		function("seed", "", "d", seed),
		function("trace", "iiddddd", "", trace),
		function("Date.now", "", "d", now),
	}
	for name, stream := range map[string]capability.Stream{
		"console.log": capability.Stdout, "console.debug": capability.Stdout, "console.info": capability.Stdout,
		"console.warn": capability.Stderr, "console.error": capability.Stderr,
	} {
		funcs = append(funcs, function(name, "i", "", func(_ context.Context, g *capability.Guest, args []uint64) (uint64, error) {
			say(g, stream, text(g.Mem, args[0]))
			return 0, nil
		}))
	}
	return funcs
}

// function makes a host function; a letter stands for a type: i for i32, d for f64.
func function(name, params, results string, call capability.Call) capability.Func {
	types := func(letters string) (list []abi.Type) {
		for _, c := range letters {
			if c == 'i' {
				list = append(list, abi.I32)
			} else {
				list = append(list, f64)
			}
		}
		return list
	}
	return capability.Func{Module: Module, Name: name, Params: types(params), Results: types(results), Call: call}
}

// grown is told that the memory has grown, which the host sees for itself.
func grown(context.Context, *capability.Guest, []uint64) (uint64, error) { return 0, nil }

// abort ends the call of a guest of AssemblyScript that failed: with its message,
// and the file, line and column where that was.
func abort(_ context.Context, g *capability.Guest, args []uint64) (uint64, error) {
	reason := text(g.Mem, args[0])
	if reason == "" {
		reason = "abort"
	}
	return 0, fault.New(fault.Trap, "abort", fmt.Sprintf("the guest aborted: %s, at %s:%d:%d",
		reason, text(g.Mem, args[1]), uint32(args[2]), uint32(args[3])))
}

// seed starts AssemblyScript's Math.random: a whole number of 53 bits.
func seed(_ context.Context, g *capability.Guest, _ []uint64) (uint64, error) {
	var b [8]byte
	g.Look(invoke.LookedAtChance)
	g.World().Random(b[:])
	return math.Float64bits(float64(binary.LittleEndian.Uint64(b[:]) >> 11)), nil
}

// now is the time in milliseconds.
func now(_ context.Context, g *capability.Guest, _ []uint64) (uint64, error) {
	g.Look(invoke.LookedAtClock)
	return math.Float64bits(float64(g.World().Now().UnixMilli())), nil
}

// trace writes a message and as many numbers as the guest says, five at most.
func trace(_ context.Context, g *capability.Guest, args []uint64) (uint64, error) {
	var line strings.Builder
	line.WriteString(text(g.Mem, args[0]))
	numbers := args[2:]
	for _, n := range numbers[:min(uint64(uint32(args[1])), uint64(len(numbers)))] {
		fmt.Fprintf(&line, " %v", math.Float64frombits(n))
	}
	say(g, capability.Stdout, line.String())
	return 0, nil
}

func say(g *capability.Guest, s capability.Stream, line string) {
	g.Out.Write(g.Inv, s, []byte(line+"\n"))
}

// maxText is how many bytes are read of a string.
const maxText = 8 << 10

// text reads a string of AssemblyScript: UTF-16, with its size in bytes in front. One
// that is not in memory is empty.
func text(mem capability.Memory, at uint64) string {
	const header = 4
	if at = uint64(uint32(at)); at < header {
		return ""
	}
	size, _ := mem.Range(at-header, header)
	if size == nil {
		return ""
	}
	n := min(binary.LittleEndian.Uint32(size), maxText) &^ 1
	units, ok := mem.Range(at, uint64(n))
	if !ok {
		return ""
	}
	list := make([]uint16, n/2)
	for i := range list {
		list[i] = binary.LittleEndian.Uint16(units[2*i:])
	}
	return string(utf16.Decode(list))
}
