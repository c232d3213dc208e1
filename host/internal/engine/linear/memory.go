package linear

import "github.com/tetratelabs/wazero/experimental"

// Memory is the linear memory of one instance. It implements
// experimental.MemoryAllocator, for a module that has one memory at most, and
// experimental.LinearMemory. The bytes of a new one cost nothing until they are
// written. Not safe for concurrent use, like the instance.
type Memory struct {
	pool  *Pool
	bytes []byte
	reservation
	reverts bool // dropped pages of space read as the image

	started bool
	start   int // bytes that it starts with and is put back to
	high    int // no byte of space from here on is in memory
	held    int // bytes of the budget for as long as it lives
	taken   int // bytes of the budget: at least held and high

	resets    uint
	shrinking bool // the next Reallocate is Reset's
	starved   bool // the budget has refused it something
	refused   refused
}

// Allocate implements experimental.MemoryAllocator.
func (m *Memory) Allocate(_, _ uint64) experimental.LinearMemory { return m }

// Reallocate implements experimental.LinearMemory: nil over the limit or the
// budget, so that memory.grow answers -1. The first size is that which Reset
// goes back to; with an image it is the image's.
func (m *Memory) Reallocate(size uint64) []byte {
	if m.shrinking {
		return m.shrink()
	}
	switch {
	case size > uint64(m.pool.limit):
		m.refused = refused{asked: int64(size)}
		return nil
	case !m.fit(int(size)):
		m.refused = refused{asked: int64(size), budget: m.pool.budget.Size()}
		return nil
	}
	m.resize(int(size))
	m.high = max(m.high, int(size))
	if !m.started {
		m.started, m.start = true, int(size)
		if !m.reverts {
			copy(m.bytes, m.pool.image.content())
		}
	}
	return m.bytes
}

func (m *Memory) resize(size int) {
	switch {
	case m.space != nil:
		m.bytes = m.space[:size]
	case size > cap(m.bytes): // doubling: guests tend to grow by a page at a time
		grown := make([]byte, size, min(max(size, 2*cap(m.bytes)), m.pool.limit))
		copy(grown, m.bytes)
		m.bytes = grown
	default:
		m.bytes = m.bytes[:size]
	}
}

// shrink answers the memory's first size to an engine that asks for growth.
func (m *Memory) shrink() []byte {
	m.shrinking = false
	if m.space == nil && cap(m.bytes) > m.high {
		m.bytes = append(make([]byte, 0, m.start), m.bytes[:m.start]...)
	}
	m.bytes = m.bytes[:m.start]
	return m.bytes
}

// fit takes from the budget what size needs more.
func (m *Memory) fit(size int) bool {
	more := size - m.taken
	if more <= 0 {
		return true
	}
	if !m.pool.budget.Take(int64(more)) {
		m.starved = true
		return false
	}
	m.taken = size
	return true
}

// settle gives back to the budget what the memory cannot have touched.
func (m *Memory) settle() {
	need := max(m.held, m.high)
	m.pool.budget.Give(int64(m.taken - need))
	m.taken = need
}

// Starved reports whether the budget has refused it a growth since it was made:
// what a guest did after that, it need not do another time.
func (m *Memory) Starved() bool { return m.starved }

// Bytes returns the memory as it is; valid until it grows or is put back.
func (m *Memory) Bytes() []byte { return m.bytes }

// Free implements experimental.LinearMemory. Freeing twice is fine.
func (m *Memory) Free() {
	if m.pool == nil {
		return
	}
	switch {
	case m.space == nil:
	case wipe(m.space[:m.high]):
		m.restored(0, m.high)
		m.pool.keep(reservation{m.space, m.tracker})
	default:
		release(m.space)
	}
	m.pool.image.leave()
	m.pool.budget.Give(int64(m.taken))
	*m = Memory{}
}
