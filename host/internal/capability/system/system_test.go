package system_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/capability/system"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

func TestClockNow(t *testing.T) {
	g := &capability.Guest{Inv: enginetest.Invocation("", nil, nil)}
	before := time.Now().UnixNano()
	got := enginetest.Call(t, system.Unit().Native, g, abi.FnClockNow)
	if after := time.Now().UnixNano(); got < before || got > after {
		t.Errorf("got %d, want a time from %d to %d", got, before, after)
	}
}

func TestRandomFill(t *testing.T) {
	g := &capability.Guest{Inv: enginetest.Invocation("", nil, nil), Mem: make(capability.Memory, 64)}
	fill := func(ptr, n uint64) int64 {
		return enginetest.Call(t, system.Unit().Native, g, abi.FnRandomFill, ptr, n)
	}
	if got := fill(8, 24); got != 24 {
		t.Fatalf("got %d, want 24", got)
	}
	if got := fill(32, 24); got != 24 {
		t.Fatalf("got %d, want 24", got)
	}
	if first, second := g.Mem[8:32], g.Mem[32:56]; bytes.Equal(first, second) || bytes.Equal(first, make([]byte, 24)) {
		t.Errorf("not random: %x, then %x", first, second)
	}
	if !bytes.Equal(g.Mem[:8], make([]byte, 8)) || !bytes.Equal(g.Mem[56:], make([]byte, 8)) {
		t.Errorf("written outside the buffer: %x", g.Mem)
	}
	if got := abi.Status(fill(60, 5)); got != abi.BadPointer {
		t.Errorf("out of memory: got %v, want %v", got, abi.BadPointer)
	}
	if got := fill(64, 0); got != 0 {
		t.Errorf("nothing: got %d", got)
	}
}
