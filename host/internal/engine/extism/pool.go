package extism

import "sync"

// maxIdle is how many reservations a pool keeps.
const maxIdle = 64

// pool holds reservations between instances, all zero. Safe for concurrent use.
type pool struct {
	size int // bytes of each

	mu     sync.Mutex
	idle   [][]byte
	closed bool
}

// take returns an empty memory.
func (p *pool) take() memory {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := memory{limit: p.size}
	if n := len(p.idle); n > 0 {
		m.reserved = p.idle[n-1]
		p.idle = p.idle[:n-1]
		return m
	}
	m.reserved = reserve(p.size)
	return m
}

// give ends the use of a memory.
func (p *pool) give(m *memory) {
	reserved, used := m.reserved, len(m.bytes)
	m.reserved, m.bytes = nil, nil
	if reserved == nil {
		return
	}
	wipe(reserved, used)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.idle) == maxIdle {
		release(reserved)
		return
	}
	p.idle = append(p.idle, reserved)
}

// close releases what is idle. What is in use is released when it comes back.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range p.idle {
		release(b)
	}
	p.idle, p.closed = nil, true
}
