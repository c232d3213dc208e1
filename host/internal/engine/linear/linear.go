// Package linear makes the linear memories of instances. Each is address space
// of its limit's size, of which only the pages a guest touches become memory,
// so that growing copies nothing; and all of them together are kept within a
// budget, so that guests cannot take the machine's memory from the host. Engines
// import it.
package linear

import (
	"fmt"
	"math"
	"sync"
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

// NewBudget returns a budget of so many bytes; 0 = no bound.
func NewBudget(bytes int64) *Budget {
	if bytes == 0 {
		bytes = math.MaxInt64
	}
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

// Hold takes n bytes for what an instance has outside its memory, until release
// is called, once. Unavailable when they are not left.
func (b *Budget) Hold(n int) (release func(), err error) {
	if !b.take(n) {
		return nil, b.usedUp()
	}
	return func() { b.left.Add(int64(n)) }, nil
}

func (b *Budget) usedUp() error {
	return fault.New(fault.Unavailable, "instance", fmt.Sprintf(
		"the instances of all plugins take the %d MiB they may have together", b.size>>20))
}

// PageSize is the size of a page of WebAssembly memory.
const PageSize = 64 << 10

// maxPages keeps the size of a memory within 32 bits.
const maxPages = 1<<16 - 1

// Limit turns a limit of bytes into that of whole pages. Invalid when that is
// none.
func Limit(memory int64) (int, error) {
	if memory < PageSize {
		return 0, fault.New(fault.Invalid, "prepare", fmt.Sprintf(
			"a memory limit of %d bytes is less than a page of WebAssembly; give at least %d", memory, PageSize))
	}
	return int(min(memory/PageSize, maxPages)) * PageSize, nil
}

// maxIdle bounds the reservations a pool keeps: they hold address space and no
// memory.
const maxIdle = 64

// Pool makes memories of one limit, and keeps their reservations for the next.
// Safe for concurrent use.
type Pool struct {
	budget *Budget
	limit  int

	mu     sync.Mutex
	idle   [][]byte
	closed bool
}

// NewPool returns a pool of memories that may grow to limit bytes each, and to
// what b has left together. Close it.
func NewPool(b *Budget, limit int) *Pool { return &Pool{budget: b, limit: limit} }

// New returns a memory that starts with at least min bytes, which it takes from
// the budget at once: an engine cannot be told later that there are none. Free
// it. Unavailable when the budget is used up.
func (p *Pool) New(min int) (*Memory, error) {
	if !p.budget.take(min) {
		return nil, p.budget.usedUp()
	}
	return &Memory{pool: p, taken: min, space: p.reservation()}, nil
}

func (p *Pool) reservation() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.idle); n > 0 {
		space := p.idle[n-1]
		p.idle = p.idle[:n-1]
		return space
	}
	return reserve(p.limit)
}

// keep takes a reservation back whose bytes are zero again.
func (p *Pool) keep(space []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.idle) == maxIdle {
		release(space)
		return
	}
	p.idle = append(p.idle, space)
}

// Close gives up what the pool keeps. Memories may be freed afterwards.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, space := range p.idle {
		release(space)
	}
	p.idle, p.closed = nil, true
}

// Memory is the linear memory of one instance. It implements
// experimental.MemoryAllocator, for a module that has one memory at most, and
// experimental.LinearMemory. The zero bytes of a new one cost nothing.
type Memory struct {
	pool  *Pool
	taken int // bytes of the budget
	bytes []byte
	space []byte // the pool's limit of address space; nil where there is none to be had
}

// Allocate implements experimental.MemoryAllocator.
func (m *Memory) Allocate(_, _ uint64) experimental.LinearMemory { return m }

// Reallocate implements experimental.LinearMemory: nil over the limit or the
// budget, so that memory.grow answers -1.
func (m *Memory) Reallocate(size uint64) []byte {
	if size > uint64(m.pool.limit) || !m.fit(int(size)) {
		return nil
	}
	switch {
	case m.space != nil:
		m.bytes = m.space[:size]
	case size > uint64(cap(m.bytes)): // doubling: guests tend to grow by a page at a time
		grown := make([]byte, size, min(max(int(size), 2*cap(m.bytes)), m.pool.limit))
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
	if !m.pool.budget.take(more) {
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
		wipe(m.space, len(m.bytes))
		m.pool.keep(m.space)
	}
	m.pool.budget.left.Add(int64(m.taken))
	m.bytes, m.space, m.taken = nil, nil, 0
}
