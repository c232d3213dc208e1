package extism

import (
	"github.com/tetratelabs/wazero/experimental"

	"github.com/wasmoor/wasmoor/host/internal/engine/linear"
)

// kernelSize is the memory of Extism's kernel, of which every instance has one.
// Nothing of an invocation ever gets there.
const kernelSize = 16 * linear.PageSize

// memories gives an instance its two memories: the SDK makes the kernel's
// first. It implements experimental.MemoryAllocator.
type memories struct {
	made          int
	kernel, guest *linear.Memory
}

// newMemories takes both from their pools, or neither.
func (p *program) newMemories() (m memories, err error) {
	if m.kernel, err = p.kernels.New(kernelSize); err != nil {
		return m, err
	}
	if m.guest, err = p.guests.New(p.min); err != nil {
		m.kernel.Free()
	}
	return m, err
}

// Allocate implements experimental.MemoryAllocator.
func (m *memories) Allocate(_, _ uint64) experimental.LinearMemory {
	m.made++
	if m.made == 1 {
		return m.kernel
	}
	return m.guest
}

// free ends the use of the memories, once nothing runs in them.
func (m *memories) free() {
	m.kernel.Free()
	m.guest.Free()
}
