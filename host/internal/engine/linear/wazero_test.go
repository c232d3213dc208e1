package linear

import (
	"context"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// guest is (module (memory (export "memory") 3)
//
//	(func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
//	(func (export "peek") (param i32) (result i32) (i32.load8_u (local.get 0)))
//	(func (export "poke") (param i32) (result i32) (i32.store8 (local.get 0) (i32.const 7)) (memory.size)))
var guest = []byte("\x00asm\x01\x00\x00\x00" +
	"\x01\x06\x01\x60\x01\x7f\x01\x7f" +
	"\x03\x04\x03\x00\x00\x00" +
	"\x05\x03\x01\x00\x03" +
	"\x07\x1f\x04\x06memory\x02\x00\x04grow\x00\x00\x04peek\x00\x01\x04poke\x00\x02" +
	"\x0a\x1c\x03" +
	"\x06\x00\x20\x00\x40\x00\x0b" +
	"\x07\x00\x20\x00\x2d\x00\x00\x0b" +
	"\x0b\x00\x20\x00\x41\x07\x3a\x00\x00\x3f\x00\x0b")

// TestResetOfAnInstance grows, writes and resets an instance of each engine of
// wazero's: compiled code and host see the first size again.
func TestResetOfAnInstance(t *testing.T) {
	for name, config := range map[string]wazero.RuntimeConfig{
		"compiler": wazero.NewRuntimeConfig(), "interpreter": wazero.NewRuntimeConfigInterpreter(),
	} {
		for way, open := range ways {
			t.Run(name+"/"+way, func(t *testing.T) { resetInstance(t, config, open) })
		}
	}
}

func resetInstance(t *testing.T, config wazero.RuntimeConfig, open func(Budget, int, []byte) (*Pool, *Image)) {
	const limit = 40
	ctx := t.Context()
	rt := wazero.NewRuntimeWithConfig(ctx, config.WithMemoryLimitPages(limit+1))
	defer rt.Close(context.Background())
	want := noise(3 * page)
	b := NewBudget(4 * limit * page)
	p, image := open(b, limit*page, want)
	defer p.Close()
	if image != nil {
		defer image.Close()
	}
	m, err := p.New(3 * page)
	if err != nil {
		t.Fatal(err)
	}
	in, err := rt.Instantiate(experimental.WithMemoryAllocator(ctx, m), guest)
	if err != nil {
		t.Fatal(err)
	}
	call := func(name string, v uint64) (uint32, error) {
		got, err := in.ExportedFunction(name).Call(ctx, v)
		if err != nil {
			return 0, err
		}
		return api.DecodeU32(got[0]), nil
	}
	memory := in.Memory()
	shrink := func() { memory.Grow(1) }
	for round, pages := range []uint64{30, 1, limit - 3, 0, 2, limit - 3} {
		for _, at := range []uint64{0, 1, 2*page + 5, 3*page - 1} {
			if got, err := call("peek", at); err != nil || got != uint32(want[at]) {
				t.Fatalf("round %d: byte %d is %d, %v, want %d", round, at, got, err, want[at])
			}
		}
		if _, err := call("peek", 3*page); err == nil {
			t.Fatalf("round %d: no trap behind the first size", round)
		}
		if got, err := call("grow", pages); err != nil || got != 3 {
			t.Fatalf("round %d: grown from %d, %v, want 3", round, got, err)
		}
		end := (3 + pages) * page
		if pages > 0 {
			if got, err := call("peek", end-1); err != nil || got != 0 {
				t.Fatalf("round %d: the last byte grown is %d, %v", round, got, err)
			}
		}
		if got, err := call("grow", limit); err != nil || int32(got) != -1 {
			t.Fatalf("round %d: grown over the limit: %d, %v", round, int32(got), err)
		}
		for _, at := range []uint64{0, 2*page + 5, end - 1} {
			if got, err := call("poke", at); err != nil || uint64(got) != 3+pages {
				t.Fatalf("round %d: %d pages, %v, want %d", round, got, err, 3+pages)
			}
		}
		if !m.Reset(shrink) {
			t.Fatalf("round %d: not put back", round)
		}
		if memory.Size() != 3*page {
			t.Fatalf("round %d: the host sees %d bytes", round, memory.Size())
		}
	}
	if err := in.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if b.Left() != b.Size() {
		t.Errorf("%d bytes of the budget are gone", b.Size()-b.Left())
	}
}
