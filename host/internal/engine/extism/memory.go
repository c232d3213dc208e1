package extism

import (
	"fmt"

	"github.com/tetratelabs/wazero/experimental"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
)

// kernelPages is what Extism's kernel starts with, of which every instance has
// one. Nothing of an invocation ever gets there.
const kernelPages = 16

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

// memories gives an instance its two memories: the SDK makes the kernel's
// first. It implements experimental.MemoryAllocator.
type memories struct {
	made   int
	kernel memory
	guest  memory
}

// Allocate implements experimental.MemoryAllocator.
func (m *memories) Allocate(_, _ uint64) experimental.LinearMemory {
	m.made++
	if m.made == 1 {
		return &m.kernel
	}
	return &m.guest
}

// memory is a linear memory within a limit. It implements
// experimental.LinearMemory.
type memory struct {
	bytes    []byte
	limit    int
	reserved []byte // limit bytes, or nil where there are none to be had
}

// Reallocate implements experimental.LinearMemory: nil when size is over the
// limit, so that memory.grow answers -1. Without a reservation capacity
// doubles, because a guest's allocator tends to grow by a page at a time.
func (m *memory) Reallocate(size uint64) []byte {
	switch {
	case size > uint64(m.limit):
		return nil
	case m.reserved != nil:
		m.bytes = m.reserved[:size]
	case size > uint64(cap(m.bytes)):
		grown := make([]byte, len(m.bytes), min(max(int(size), 2*cap(m.bytes)), m.limit))
		copy(grown, m.bytes)
		m.bytes = grown[:size]
	default:
		m.bytes = m.bytes[:size]
	}
	return m.bytes
}

// Free implements experimental.LinearMemory. The instance gives memory back when
// it is closed.
func (m *memory) Free() {}
