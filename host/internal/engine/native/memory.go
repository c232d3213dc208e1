package native

import (
	"fmt"

	"github.com/tetratelabs/wazero/experimental"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
)

// maxPages keeps the size of a memory within 32 bits.
const maxPages = wasmbin.MaxPages - 1

// pages turns a limit of bytes into whole pages.
func pages(memory int64) (uint32, error) {
	if memory < wasmbin.PageSize {
		return 0, fault.New(fault.Invalid, "prepare", fmt.Sprintf(
			"a memory limit of %d bytes is less than a page of WebAssembly; give at least %d", memory, wasmbin.PageSize))
	}
	return uint32(min(memory/wasmbin.PageSize, maxPages)), nil
}

// memory is the linear memory of one instance. It implements
// experimental.MemoryAllocator and experimental.LinearMemory for that one.
type memory struct {
	bytes []byte
	limit int
}

// Allocate implements experimental.MemoryAllocator. A module has one memory at
// most.
func (m *memory) Allocate(_, _ uint64) experimental.LinearMemory { return m }

// Reallocate implements experimental.LinearMemory: nil when size is over the
// limit, so that memory.grow answers -1. Capacity doubles, because a guest's
// allocator tends to grow by a page at a time; what was never used is zero, as
// make left it.
func (m *memory) Reallocate(size uint64) []byte {
	if size > uint64(m.limit) {
		return nil
	}
	if size > uint64(cap(m.bytes)) {
		capacity := min(max(int(size), 2*cap(m.bytes)), m.limit)
		grown := make([]byte, len(m.bytes), capacity)
		copy(grown, m.bytes)
		m.bytes = grown
	}
	m.bytes = m.bytes[:size]
	return m.bytes
}

// Free implements experimental.LinearMemory.
func (m *memory) Free() { m.bytes = nil }
