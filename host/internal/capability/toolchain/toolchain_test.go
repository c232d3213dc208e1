package toolchain_test

import (
	"context"
	"encoding/binary"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/capability/toolchain"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

const size = 64 << 10

// put writes a string as AssemblyScript keeps it and returns its address.
func put(mem capability.Memory, at int, s string) uint64 {
	units := utf16.Encode([]rune(s))
	binary.LittleEndian.PutUint32(mem[at:], uint32(2*len(units)))
	for i, u := range units {
		binary.LittleEndian.PutUint16(mem[at+4+2*i:], u)
	}
	return uint64(at + 4)
}

func call(t *testing.T, g *capability.Guest, name string, args ...uint64) (uint64, error) {
	t.Helper()
	for _, f := range toolchain.Unit().Native {
		if f.Name == name {
			return f.Call(context.Background(), g, args)
		}
	}
	t.Fatalf("no function %s", name)
	return 0, nil
}

func guest(lines *strings.Builder) *capability.Guest {
	inv := enginetest.Invocation("", nil, slog.New(slog.NewTextHandler(lines, nil)))
	return &capability.Guest{Inv: inv, Mem: make(capability.Memory, size)}
}

func TestAbortSaysWhere(t *testing.T) {
	g := guest(&strings.Builder{})
	message, file := put(g.Mem, 100, "Index out of range 😀"), put(g.Mem, 400, "~lib/array.ts")
	_, err := call(t, g, "abort", message, file, 114, 42)
	if want := "the guest aborted: Index out of range 😀, at ~lib/array.ts:114:42"; fault.CodeOf(err) != fault.Trap || fault.MessageOf(err) != want {
		t.Errorf("got %v, want %q", err, want)
	}
	for _, at := range []uint64{0, 3, size, math.MaxUint32, 1 << 40} { // no string
		if _, err := call(t, g, "abort", at, at, 1, 2); fault.MessageOf(err) != "the guest aborted: abort, at :1:2" {
			t.Errorf("at %d: %v", at, err)
		}
	}
	binary.LittleEndian.PutUint32(g.Mem[size-8:], math.MaxUint32) // a size that lies
	if _, err := call(t, g, "abort", size-4, 0, 1, 2); fault.CodeOf(err) != fault.Trap {
		t.Errorf("a size that lies: %v", err)
	}
}

func TestOutput(t *testing.T) {
	var lines strings.Builder
	g := guest(&lines)
	calls := []struct {
		name, want string
		args       []uint64
	}{
		{"console.log", `level=INFO msg=hello`, []uint64{put(g.Mem, 100, "hello")}},
		{"console.error", `level=WARN msg=hello`, []uint64{put(g.Mem, 100, "hello")}},
		{"trace", `msg="sum 1.5 2"`, []uint64{put(g.Mem, 200, "sum"), 2, math.Float64bits(1.5), math.Float64bits(2), 0, 0, 0}},
		{"trace", `msg="all 1 2 3 4 5"`, []uint64{put(g.Mem, 300, "all"), math.MaxUint32, math.Float64bits(1), math.Float64bits(2), math.Float64bits(3), math.Float64bits(4), math.Float64bits(5)}},
	}
	for _, c := range calls {
		lines.Reset()
		if _, err := call(t, g, c.name, c.args...); err != nil || !strings.Contains(lines.String(), c.want) {
			t.Errorf("%s: %v, logged %q, want %q", c.name, err, lines.String(), c.want)
		}
	}
}

func TestNumbers(t *testing.T) {
	g := guest(&strings.Builder{})
	before := float64(time.Now().UnixMilli())
	bits, _ := call(t, g, "Date.now")
	if got := math.Float64frombits(bits); got < before || got > before+60_000 {
		t.Errorf("Date.now: %v, after %v", got, before)
	}
	one, _ := call(t, g, "seed")
	other, _ := call(t, g, "seed")
	if n := math.Float64frombits(one); one == other || n < 0 || n != math.Trunc(n) {
		t.Errorf("seed: %v, %v", n, math.Float64frombits(other))
	}
	if _, err := call(t, g, "emscripten_notify_memory_growth", 0); err != nil {
		t.Error(err)
	}
}
