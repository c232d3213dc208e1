package cache

import (
	"hash/maphash"
	"sync"
)

// targets counts the answers of each request target, so that a request whose target has none
// costs a look.
type targets [16]struct {
	mu sync.RWMutex
	by map[uint64]int // by hash; two targets may share one
}

func (t *targets) add(e *entry, n int) {
	if e.answer == nil {
		return
	}
	var h maphash.Hash
	h.SetSeed(seed)
	h.WriteString(e.key.path)
	if e.key.query != "" {
		h.WriteByte('?')
		h.WriteString(e.key.query)
	}
	sum := h.Sum64()
	p := &t[sum%uint64(len(t))]
	p.mu.Lock()
	defer p.mu.Unlock()
	if n += p.by[sum]; n == 0 {
		delete(p.by, sum)
		return
	}
	if p.by == nil {
		p.by = map[uint64]int{}
	}
	p.by[sum] = n
}

// Knows reports whether there may be an answer for a target that is a path with its query,
// for some host. It costs little.
func (c *Cache) Knows(target []byte) bool {
	sum := maphash.Bytes(seed, target)
	p := &c.targets[sum%uint64(len(c.targets))]
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.by[sum] > 0
}
