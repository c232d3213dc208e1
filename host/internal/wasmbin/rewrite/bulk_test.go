package rewrite

import (
	"bytes"
	"context"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/format"
)

// TestLargeBulkOperations: in pieces, overlapping or out of bounds, they do what
// one instruction does, with a check for each piece.
func TestLargeBulkOperations(t *testing.T) {
	const pages, end = 48, 48 * wasmbin.PageSize
	three := i32 + i32 + i32
	operation := func(code string) string { return function("\x20\x00\x20\x01\x20\x02" + code) }
	b := header + section(format.IDType, vec(funcType(three, ""))) + section(format.IDFunction, vec(u(0), u(0))) +
		section(format.IDMemory, vec("\x00"+u(pages))) +
		section(format.IDExport, vec(text("copy")+"\x00\x00", text("fill")+"\x00\x01")) +
		section(format.IDCode, vec(operation("\xfc\x0a\x00\x00"), operation("\xfc\x0b\x00")))
	c := &checker{}
	r := newRuntime(t, c)
	in, err := instrument([]byte(b), rules{fuel: 1000})
	if err != nil {
		t.Fatal(err)
	}
	plain, err := r.InstantiateWithConfig(context.Background(), []byte(b), wazero.NewModuleConfig().WithName(""))
	if err != nil {
		t.Fatal(err)
	}
	checked := instantiate(t, r, in.Module)
	for _, tt := range []struct {
		name, call     string
		to, from, size uint64
		pieces         int
	}{
		{"nothing", "copy", 5, 9, 0, 0},
		{"small", "copy", 5, 9, smallBulk, 0},
		{"a piece", "copy", 5, 9, bulkPiece, 1},
		{"apart", "copy", 0, end / 2, end/2 - 3, 2},
		{"little forwards", "copy", 0, 7, end - 7, 3},
		{"little backwards", "copy", 7, 0, end - 7, 3},
		{"much backwards", "copy", bulkPiece + 1, 0, end - bulkPiece - 1, 2},
		{"in place", "copy", 0, 0, end, 3},
		{"to the end", "copy", end - 2*bulkPiece, 1, 2 * bulkPiece, 2},
		{"from the end", "copy", 1, end - 2*bulkPiece, 2 * bulkPiece, 2},
		{"to beyond the end", "copy", end - 2*bulkPiece + 1, 1, 2 * bulkPiece, 0},
		{"from beyond the end", "copy", 1, end - 2*bulkPiece + 1, 2 * bulkPiece, 0},
		{"all numbers there are", "copy", 1<<32 - 1, 1<<32 - 1, 1<<32 - 1, 0},
		{"small beyond the end", "copy", end, 0, 1, 0},
		{"fill", "fill", 3, 0x55, end - 3, 3},
		{"fill beyond the end", "fill", 3, 0x66, end - 2, 0},
		{"fill a little", "fill", 3, 0x77, 10, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := bulkOutcome(plain, tt.call, tt.to, tt.from, tt.size)
			c.made = 0
			if got := bulkOutcome(checked, tt.call, tt.to, tt.from, tt.size); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			a, _ := plain.Memory().Read(0, end)
			b, _ := checked.Memory().Read(0, end)
			if !bytes.Equal(a, b) || c.made < tt.pieces {
				t.Errorf("the memory is the same: %v; %d checks of %d", bytes.Equal(a, b), c.made, tt.pieces)
			}
		})
	}
}

// bulkOutcome runs an operation over memory in which no two places are alike.
func bulkOutcome(m api.Module, name string, to, from, size uint64) string {
	mem, _ := m.Memory().Read(0, m.Memory().Size())
	for i := range mem {
		mem[i] = byte(i * 31 >> (i >> 8 & 7))
	}
	return outcome(m.ExportedFunction(name).Call(context.Background(), to, from, size))
}
