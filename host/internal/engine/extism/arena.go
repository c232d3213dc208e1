package extism

import (
	"encoding/binary"
	"sort"

	"github.com/wasmoor/wasmoor/host/internal/engine/linear"
)

// arena is the memory that a plugin shares with the host, in blocks which both
// name by their offset: what Extism's kernel is, but of one invocation, and
// without a call into WebAssembly for every byte. Offset 0 is no block.
//
// It implements capability.Blocks.
//
// As in the kernel, loads and stores may reach anything in the arena, whatever
// block it belongs to: it is all the invocation's own.
type arena struct {
	mem    []byte
	limit  int // most bytes of mem
	budget linear.Budget
	held   []func() // gives back what mem and blocks have of the budget
	blocks []block
	freed  map[int]int // the block that was freed last, by size
}

// block is a piece of the arena. Blocks follow each other without a gap.
type block struct {
	offset, size int // size is a multiple of align
	length       int // bytes in use; -1 = free
	before       int // of a free one: that of its size which was freed before; -1 = none
}

const (
	align = 16
	// minArena is what an arena has at its start.
	minArena = 4 << 10
	// blockSize is what is kept about a block.
	blockSize = 32
	// minBlocks is how many there is room for at the start.
	minBlocks = 32
	// maxBlocks bounds what is kept about all, which their size does not, to 4
	// MiB: as many as 8-byte pieces in a body of 1 MiB, and far more than a
	// plugin has that frees any.
	maxBlocks = 1 << 17
)

// Alloc returns the offset of a new block of n bytes, whatever was in them; 0
// when there is no room. A block of no bytes has an offset too.
func (a *arena) Alloc(n uint64) uint64 {
	if n > uint64(a.limit) {
		return 0
	}
	size := max(align, (int(n)+align-1)&^(align-1))
	if i, ok := a.freed[size]; ok {
		b := &a.blocks[i]
		b.length = int(n)
		a.setFreed(size, b.before)
		return uint64(b.offset)
	}
	offset := a.end()
	if !a.list() || !a.grow(offset+size) {
		return 0
	}
	a.blocks = append(a.blocks, block{offset: offset, size: size, length: int(n)})
	return uint64(offset)
}

// list makes room for one more block.
func (a *arena) list() bool {
	n := len(a.blocks)
	if n < cap(a.blocks) {
		return true
	}
	more := min(max(n, minBlocks), maxBlocks-n)
	if more == 0 || !a.hold(more*blockSize) {
		return false
	}
	a.blocks = append(make([]block, 0, n+more), a.blocks...)
	return true
}

// hold takes bytes from the budget, until drop.
func (a *arena) hold(n int) bool {
	release, err := a.budget.Hold(n)
	if err == nil {
		a.held = append(a.held, release)
	}
	return err == nil
}

// end is where the next block begins.
func (a *arena) end() int {
	if len(a.blocks) == 0 {
		return align
	}
	last := a.blocks[len(a.blocks)-1]
	return last.offset + last.size
}

// grow makes room up to an offset. What is new is zero.
func (a *arena) grow(end int) bool {
	switch {
	case end <= len(a.mem):
		return true
	case end > a.limit:
		return false
	}
	if end > cap(a.mem) {
		size := min(max(end, 2*cap(a.mem), minArena), a.limit)
		if !a.hold(size - cap(a.mem)) {
			return false
		}
		mem := make([]byte, len(a.mem), size)
		copy(mem, a.mem)
		a.mem = mem
	}
	a.mem = a.mem[:end]
	return true
}

// Free gives a block back; an offset that is none is ignored.
func (a *arena) Free(offset uint64) {
	i, ok := a.find(offset)
	if !ok {
		return
	}
	if i == len(a.blocks)-1 {
		a.blocks = a.blocks[:i]
		return
	}
	b := &a.blocks[i]
	b.length, b.before = -1, -1
	if last, ok := a.freed[b.size]; ok {
		b.before = last
	}
	a.setFreed(b.size, i)
}

// setFreed notes the block of that size which alloc takes first; -1 = none.
func (a *arena) setFreed(size, i int) {
	switch {
	case i < 0:
		delete(a.freed, size)
	case a.freed == nil:
		a.freed = map[int]int{size: i}
	default:
		a.freed[size] = i
	}
}

// find returns the index of the block in use at an offset.
func (a *arena) find(offset uint64) (int, bool) {
	i := sort.Search(len(a.blocks), func(i int) bool { return uint64(a.blocks[i].offset) >= offset })
	return i, i < len(a.blocks) && uint64(a.blocks[i].offset) == offset && a.blocks[i].length >= 0
}

// Length returns how many bytes the block at an offset has; 0 for none.
func (a *arena) Length(offset uint64) uint64 {
	if i, ok := a.find(offset); ok {
		return uint64(a.blocks[i].length)
	}
	return 0
}

// Block returns the bytes of a block, which are the arena's own, and whether
// there is one.
func (a *arena) Block(offset uint64) ([]byte, bool) {
	i, ok := a.find(offset)
	if !ok {
		return nil, false
	}
	b := a.blocks[i]
	return a.mem[b.offset : b.offset+b.length : b.offset+b.length], true
}

// Put makes a block of data and returns its offset; 0 when there is no room.
func (a *arena) Put(data []byte) uint64 {
	offset := a.Alloc(uint64(len(data)))
	if offset != 0 {
		copy(a.mem[offset:], data)
	}
	return offset
}

// Bytes implements capability.Blocks.
func (a *arena) Bytes() []byte { return a.mem }

// Limit implements capability.Blocks.
func (a *arena) Limit() int { return a.limit }

// Shrink cuts the block at an offset to n bytes.
func (a *arena) Shrink(offset uint64, n int) {
	if i, ok := a.find(offset); ok && n <= a.blocks[i].length {
		a.blocks[i].length = n
	}
}

// span returns n bytes at an offset and whether they lie within the arena.
func (a *arena) span(offset, n uint64) ([]byte, bool) {
	size := uint64(len(a.mem))
	if offset > size || n > size-offset {
		return nil, false
	}
	return a.mem[offset : offset+n : offset+n], true
}

// load64 reads 8 bytes as a little-endian number.
func (a *arena) load64(offset uint64) (uint64, bool) {
	b, ok := a.span(offset, 8)
	if !ok {
		return 0, false
	}
	return binary.LittleEndian.Uint64(b), true
}

func (a *arena) store64(offset, v uint64) bool {
	b, ok := a.span(offset, 8)
	if ok {
		binary.LittleEndian.PutUint64(b, v)
	}
	return ok
}

// reset forgets every block and clears their bytes, so that the memory may
// serve another invocation. What is more than a usual one needs is given up.
func (a *arena) reset() {
	if cap(a.mem)+cap(a.blocks)*blockSize > maxKept {
		a.drop()
	}
	clear(a.mem)
	a.mem = a.mem[:0]
	a.blocks = a.blocks[:0]
	a.freed = nil
}

// trim gives the memory of an arena with nothing in it back.
func (a *arena) trim() {
	if len(a.mem) == 0 {
		a.drop()
	}
}

// maxKept bounds what an arena keeps from one invocation to the next.
const maxKept = 1 << 20

// drop gives the memory back, with what is in it.
func (a *arena) drop() {
	for _, release := range a.held {
		release()
	}
	a.mem, a.blocks, a.held = nil, nil, nil
}
