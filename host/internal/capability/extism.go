package capability

import (
	"context"
	"math"

	"github.com/wasmoor/wasmoor/abi"
)

// Import modules of a plugin of Extism.
const (
	ExtismEnv  = "extism:host/env"  // Extism's own functions
	ExtismUser = "extism:host/user" // the platform's capabilities
)

// Blocks is the memory that a plugin of Extism shares with the host: pieces that
// both name by their offset, which is above zero. 0 is no block, of no bytes.
type Blocks interface {
	// Bytes returns all of it, valid until the next block is made.
	Bytes() []byte
	// Block returns the bytes of a block and whether there is one.
	Block(offset uint64) ([]byte, bool)
	// Alloc returns a new block of n bytes, whatever was in them; 0 = no room.
	Alloc(n uint64) uint64
	// Shrink cuts a block to n bytes.
	Shrink(offset uint64, n int)
	// Free gives a block back.
	Free(offset uint64)
	// Limit returns how many bytes there can be at most.
	Limit() int
}

// Mistake is what a plugin of Extism did wrong, for a person. It ends the
// invocation: these functions have no other way to tell the guest.
type Mistake string

// Error implements error.
func (m Mistake) Error() string { return string(m) }

// Serving returns a Mistake unless the guest handles a request of a plugin's:
// before that, what belongs to a plugin is not there yet.
func (g *Guest) Serving() error {
	switch {
	case g.Inv == nil:
		return Mistake("it is not available while the plugin initialises; call it in the function of a route")
	case g.Inv.Env.Warmup:
		return Mistake("it is not available while the version warms up; leave the request out of [[warmup]]")
	}
	return nil
}

// Text returns a copy of a block; "" for none.
func (g *Guest) Text(offset uint64) string {
	b, _ := g.Blocks.Block(offset)
	return string(b)
}

// PutBlock makes a block of data. The error is a Mistake: there is no room.
func (g *Guest) PutBlock(data []byte) (uint64, error) {
	offset := g.Blocks.Alloc(uint64(len(data)))
	if offset == 0 {
		return 0, Mistake("no room for what it asked for in the memory it shares with the host")
	}
	b, _ := g.Blocks.Block(offset)
	copy(b, data)
	return offset, nil
}

// InBlocks returns functions of abi.Module for plugins of Extism: functions of
// ExtismUser with the same names and rules. What is a range of guest memory there
// is a block here, and a number is an i64. What an abi.Out takes there is the
// result here, a block, which has room for so many bytes at first; NotFound is
// block 0. A result below zero is an abi.Status. It is for functions that answer
// the size of all they have, not for those that copy what fits.
func InBlocks(funcs []Func, room map[string]uint64) []Func {
	signatures := map[string][]abi.Param{}
	for _, f := range abi.Functions() {
		signatures[f.Name] = f.Params
	}
	list := make([]Func, len(funcs))
	for i, f := range funcs {
		b := blockwise{call: f.Call, params: signatures[f.Name], room: room[f.Name]}
		list[i] = Func{Module: ExtismUser, Name: f.Name, Params: b.types(), Results: []abi.Type{abi.I64}, Call: b.run}
	}
	return list
}

// blockwise calls a function of the native ABI with blocks.
type blockwise struct {
	call   Call
	params []abi.Param
	room   uint64 // of the block of an Out
}

// types returns the parameters: an i64 each, but an Out has none.
func (b *blockwise) types() (types []abi.Type) {
	for _, p := range b.params {
		if p.Kind != abi.Out {
			types = append(types, abi.I64)
		}
	}
	return types
}

// run is a Call. Guest memory is the blocks while it runs.
func (b *blockwise) run(ctx context.Context, g *Guest, args []uint64) (uint64, error) {
	own := g.Mem
	defer func() { g.Mem = own }()
	native := make([]uint64, 0, 8)
	out := -1 // index of the Out among native
	for _, p := range b.params {
		switch p.Kind {
		case abi.Out:
			out = len(native)
			native = append(native, 0, 0)
			continue
		case abi.In, abi.Text:
			data, ok := g.Blocks.Block(args[0])
			if !ok && args[0] != 0 {
				return Result(abi.BadPointer), nil
			}
			native = append(native, args[0], uint64(len(data)))
		case abi.U32:
			native = append(native, min(args[0], math.MaxUint32))
		case abi.S64:
			native = append(native, args[0])
		}
		args = args[1:]
	}
	if out >= 0 {
		return b.fill(ctx, g, native, out)
	}
	g.Mem = g.Blocks.Bytes()
	return b.call(ctx, g, native)
}

// fill calls the function until what it answers fits into the block of its Out.
func (b *blockwise) fill(ctx context.Context, g *Guest, native []uint64, out int) (uint64, error) {
	room, block := b.room, uint64(0)
	if room > 0 {
		if block = g.Blocks.Alloc(room); block == 0 {
			return Result(abi.Limit), nil
		}
	}
	for {
		native[out], native[out+1] = block, room
		g.Mem = g.Blocks.Bytes()
		result, err := b.call(ctx, g, native)
		n := int64(result)
		if err == nil && block != 0 && n >= 0 && uint64(n) <= room {
			g.Blocks.Shrink(block, int(n))
			return block, nil
		}
		g.Blocks.Free(block)
		switch {
		case n == int64(abi.NotFound):
			return 0, err
		case err != nil || n < 0:
			return result, err
		}
		room = uint64(n)
		if block = g.Blocks.Alloc(room); block == 0 {
			return Result(abi.Limit), nil
		}
	}
}
