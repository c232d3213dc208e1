// Package linear makes the linear memories of instances. Each is address space
// of its limit's size, of which only the pages a guest touches become memory,
// so that growing copies nothing; and all of them together are kept within a
// budget, so that guests cannot take the machine's memory from the host. Engines
// import it.
package linear

import (
	"fmt"
	"sync/atomic"

	"github.com/tetratelabs/wazero/experimental"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Budget is the memory that all instances may have together. Safe for
// concurrent use.
type Budget struct {
	size int64
	left atomic.Int64
}

// NewBudget returns a budget of so many bytes.
func NewBudget(bytes int64) *Budget {
	b := &Budget{size: bytes}
	b.left.Store(bytes)
	return b
}

func (b *Budget) take(n int) bool {
	if b.left.Add(int64(-n)) >= 0 {
		return true
	}
	b.left.Add(int64(n))
	return false
}

// Memory is the linear memory of one instance. It implements
// experimental.MemoryAllocator, for a module that has one memory at most, and
// experimental.LinearMemory. The zero bytes of a new one cost nothing.
type Memory struct {
	budget *Budget
	limit  int
	taken  int // bytes of the budget
	bytes  []byte
	space  []byte // limit bytes of address space; nil where there is none to be had
}

// New returns a memory that may grow to limit bytes and starts with at least
// min, which it takes from b at once: an engine cannot be told later that there
// is none. Free it. Unavailable when the budget is used up.
func New(b *Budget, min, limit int) (*Memory, error) {
	m := &Memory{budget: b, limit: limit}
	if !b.take(min) {
		return nil, fault.New(fault.Unavailable, "instance", fmt.Sprintf(
			"the instances of all plugins take the %d MiB they may have together", b.size>>20))
	}
	m.taken = min
	m.space = reserve(limit)
	return m, nil
}

// Allocate implements experimental.MemoryAllocator.
func (m *Memory) Allocate(_, _ uint64) experimental.LinearMemory { return m }

// Reallocate implements experimental.LinearMemory: nil over the limit or the
// budget, so that memory.grow answers -1.
func (m *Memory) Reallocate(size uint64) []byte {
	if size > uint64(m.limit) || !m.fit(int(size)) {
		return nil
	}
	switch {
	case m.space != nil:
		m.bytes = m.space[:size]
	case size > uint64(cap(m.bytes)): // doubling: guests tend to grow by a page at a time
		grown := make([]byte, size, min(max(int(size), 2*cap(m.bytes)), m.limit))
		copy(grown, m.bytes)
		m.bytes = grown
	default:
		m.bytes = m.bytes[:size]
	}
	return m.bytes
}

// fit takes from the budget what size needs more.
func (m *Memory) fit(size int) bool {
	more := size - m.taken
	if more <= 0 {
		return true
	}
	if !m.budget.take(more) {
		return false
	}
	m.taken = size
	return true
}

// Bytes returns the memory as it is; valid until it grows.
func (m *Memory) Bytes() []byte { return m.bytes }

// Free implements experimental.LinearMemory. Freeing twice is fine.
func (m *Memory) Free() {
	if m.space != nil {
		release(m.space)
	}
	m.budget.left.Add(int64(m.taken))
	m.bytes, m.space, m.taken = nil, nil, 0
}
