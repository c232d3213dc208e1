package extism

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/wasmoor/wasmoor/host/internal/engine/linear"
	"pgregory.net/rapid"
)

// kernel is Extism's own, as its SDK has it.
func kernel(t *testing.T) api.Module {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/extism/go-sdk").Output()
	if err != nil {
		t.Fatal(err)
	}
	module, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "extism-runtime.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	r := wazero.NewRuntime(ctx)
	t.Cleanup(func() { _ = r.Close(ctx) })
	m, err := r.Instantiate(ctx, module)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestArenaIsTheKernel makes the same random calls of a well-behaved guest on
// the arena and on Extism's kernel. Offsets differ, what is behind them does not.
func TestArenaIsTheKernel(t *testing.T) {
	theirs := kernel(t)
	call := func(name string, args ...uint64) uint64 {
		result, err := theirs.ExportedFunction(name).Call(context.Background(), args...)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(result) == 0 {
			return 0
		}
		return result[0]
	}
	rapid.Check(t, func(t *rapid.T) {
		call("reset")
		s := &state{arena: arena{limit: 1 << 20, budget: linear.NewBudget(0)}}
		ours := func(name string, args ...uint64) uint64 {
			for _, f := range kernelFunctions() {
				if f.name == name {
					result, err := f.call(s, args)
					if err != nil {
						t.Fatalf("%s: %v", name, err)
					}
					return result
				}
			}
			t.Fatalf("no function %s", name)
			return 0
		}
		type pair struct{ ours, theirs, size uint64 }
		var live []pair
		pick := func() (pair, int, bool) {
			if len(live) == 0 {
				return pair{}, 0, false
			}
			i := rapid.IntRange(0, len(live)-1).Draw(t, "block")
			return live[i], i, true
		}
		t.Repeat(map[string]func(*rapid.T){
			"alloc": func(t *rapid.T) {
				n := rapid.Uint64Range(1, 300).Draw(t, "size")
				p := pair{ours("alloc", n), call("alloc", n), n}
				if p.ours == 0 || p.theirs == 0 {
					t.Fatalf("no room: %+v", p)
				}
				zero := make([]byte, n) // what a new block holds, nobody promises
				copy(s.arena.mem[p.ours:], zero)
				theirs.Memory().Write(uint32(p.theirs), zero)
				live = append(live, p)
			},
			"free": func(*rapid.T) {
				if p, i, ok := pick(); ok {
					ours("free", p.ours)
					call("free", p.theirs)
					if a, b := ours("length", p.ours), call("length", p.theirs); a != 0 || b != 0 {
						t.Fatalf("a freed block has %d and %d bytes", a, b)
					}
					live = append(live[:i], live[i+1:]...)
				}
			},
			"store": func(t *rapid.T) {
				p, _, ok := pick()
				if !ok || p.size < 8 {
					return
				}
				at, v := rapid.Uint64Range(0, p.size-8).Draw(t, "at"), rapid.Uint64().Draw(t, "value")
				ours("store_u64", p.ours+at, v)
				call("store_u64", p.theirs+at, v)
				ours("store_u8", p.ours+p.size-1, v&0xff)
				call("store_u8", p.theirs+p.size-1, v&0xff)
				if a, b := ours("load_u64", p.ours+at), call("load_u64", p.theirs+at); a != b {
					t.Fatalf("load_u64: %x, the kernel %x", a, b)
				}
				if a, b := ours("load_u8", p.ours+at), call("load_u8", p.theirs+at); a != b {
					t.Fatalf("load_u8: %x, the kernel %x", a, b)
				}
			},
			"input": func(*rapid.T) {
				if p, _, ok := pick(); ok {
					ours("input_set", p.ours, p.size)
					call("input_set", p.theirs, p.size)
					for _, at := range []uint64{0, p.size / 2, p.size - 1, p.size, p.size + 100} {
						if a, b := ours("input_load_u8", at), call("input_load_u8", at); a != b {
							t.Fatalf("input byte %d of %d: %d, the kernel %d", at, p.size, a, b)
						}
					}
					if a, b := ours("input_length"), call("input_length"); a != b {
						t.Fatalf("input of %d bytes, the kernel's has %d", a, b)
					}
				}
			},
			"output": func(*rapid.T) {
				if p, _, ok := pick(); ok {
					ours("output_set", p.ours, p.size)
					call("output_set", p.theirs, p.size)
					if a, b := ours("output_length"), call("output_length"); a != b {
						t.Fatalf("output of %d bytes, the kernel's has %d", a, b)
					}
				}
			},
			"": func(*rapid.T) {
				for _, p := range live {
					if a, b := ours("length", p.ours), call("length", p.theirs); a != p.size || b != p.size {
						t.Fatalf("lengths %d and %d, want %d", a, b, p.size)
					}
					want, _ := theirs.Memory().Read(uint32(p.theirs), uint32(p.size))
					if got, ok := s.arena.Block(p.ours); !ok || !bytes.Equal(got, want) {
						t.Fatalf("a block holds % x, the kernel's % x", got, want)
					}
				}
			},
		})
	})
}

func TestArenaIsBounded(t *testing.T) {
	a := arena{limit: 64 << 10, budget: linear.NewBudget(0)}
	for _, n := range []uint64{64<<10 + 1, 1 << 40, 1<<64 - 1, 1<<64 - 15} {
		if got := a.Alloc(n); got != 0 {
			t.Errorf("alloc(%d): got %d", n, got)
		}
	}
	n := 0
	for a.Alloc(1000) != 0 {
		n++
	}
	if n != 65 || cap(a.mem) > a.limit {
		t.Errorf("got %d blocks in %d bytes", n, cap(a.mem))
	}
}

// TestBlocksAreBounded: what is kept about blocks counts like their bytes, and is
// given back.
func TestBlocksAreBounded(t *testing.T) {
	const size = 1 << 20
	budget := linear.NewBudget(size)
	a := arena{limit: 64 << 20, budget: budget}
	for a.Alloc(1) != 0 {
	}
	if kept := len(a.blocks) * (blockSize + align); kept < size/4 || kept > size {
		t.Errorf("%d blocks within %d bytes", len(a.blocks), size)
	}
	if got := unsafe.Sizeof(block{}); got != blockSize {
		t.Errorf("a block takes %d bytes and is counted as %d", got, blockSize)
	}
	a.reset()
	a.trim()
	if release, err := budget.Hold(size); err != nil {
		t.Error(err)
	} else {
		release()
	}
	a.budget = linear.NewBudget(0)
	for a.Alloc(1) != 0 {
	}
	if len(a.blocks) != maxBlocks || cap(a.blocks) != maxBlocks {
		t.Errorf("%d blocks and room for %d, want %d", len(a.blocks), cap(a.blocks), maxBlocks)
	}
	if a.reset(); cap(a.blocks) > 0 {
		t.Errorf("room for %d blocks is kept", cap(a.blocks))
	}
}

// TestArenaReuses: a guest that frees what it allocates needs no more memory for
// doing so a million times.
func TestArenaReuses(t *testing.T) {
	a := arena{limit: 1 << 20, budget: linear.NewBudget(0)}
	kept := a.Alloc(10)
	for i := range uint64(1_000_000) {
		first, second := a.Alloc(i%7*100), a.Alloc(i%5*33)
		if first == 0 || second == 0 {
			t.Fatalf("no room in round %d", i)
		}
		a.Free(first)
		a.Free(second)
		a.Free(second) // twice is once
	}
	if a.Length(kept) != 10 || len(a.mem) > 100<<10 {
		t.Errorf("the block that was kept has %d bytes, the arena %d", a.Length(kept), len(a.mem))
	}
}

func TestArenaResetClears(t *testing.T) {
	a := arena{limit: 1 << 20, budget: linear.NewBudget(0)}
	copy(a.mem[a.Alloc(8):], "canary")
	a.Put([]byte("canary"))
	a.reset()
	if got := a.Alloc(100); got == 0 || strings.Trim(string(a.mem), "\x00") != "" {
		t.Errorf("block %d, memory %q", got, a.mem)
	}
}
