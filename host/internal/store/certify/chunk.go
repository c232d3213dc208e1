package certify

import (
	"sort"

	"github.com/wasmoor/wasmoor/host/internal/store"
)

// spaceWindow is the part of the window in one key space: a map for point
// reads, and a sorted list of chunks for intervals.
type spaceWindow struct {
	id     store.Space
	last   store.Revision // of the latest write in the space
	byKey  map[string]*item
	chunks []*chunk
	spans  []span         // what has faded, in order and apart
	faded  store.Revision // the latest of it
}

// chunk is a run of neighbouring keys with the latest revision among them, so
// that an interval is judged a chunk at a time.
type chunk struct {
	items []*item
	last  store.Revision
}

const chunkSize = 128

// writtenSince returns a key of r that was written after read, nil if none was.
func (s *spaceWindow) writtenSince(r store.Range, read store.Revision) *item {
	from, to := string(r.From), string(r.To)
	for i := s.chunkFor(from); i < len(s.chunks); i++ {
		c := s.chunks[i]
		if r.To != nil && c.items[0].key >= to {
			return nil
		}
		if c.last <= read {
			continue
		}
		for _, it := range c.items {
			if it.writtenSince(read) && it.key >= from && (r.To == nil || it.key < to) {
				return it
			}
		}
	}
	return nil
}

// chunkFor returns the index of the chunk that holds key or would take it.
func (s *spaceWindow) chunkFor(key string) int {
	i := sort.Search(len(s.chunks), func(i int) bool { return s.chunks[i].items[0].key > key })
	return max(i-1, 0)
}

func (s *spaceWindow) insert(it *item) {
	s.byKey[it.key] = it
	if len(s.chunks) == 0 {
		it.home = &chunk{items: append(make([]*item, 0, chunkSize), it)}
		s.chunks = append(s.chunks, it.home)
		return
	}
	n := s.chunkFor(it.key)
	c := s.chunks[n]
	i := sort.Search(len(c.items), func(i int) bool { return c.items[i].key > it.key })
	c.items = append(c.items, nil)
	copy(c.items[i+1:], c.items[i:])
	c.items[i] = it
	it.home = c
	if len(c.items) == chunkSize {
		s.split(n)
	}
}

// split moves the upper half of chunk n to a new chunk after it. Keys often
// come in ascending order: at the end of the list almost nothing moves, so
// that chunks fill.
func (s *spaceWindow) split(n int) {
	c := s.chunks[n]
	at := chunkSize / 2
	if n == len(s.chunks)-1 {
		at = chunkSize - 1
	}
	upper := &chunk{items: append(make([]*item, 0, chunkSize), c.items[at:]...), last: c.last}
	clear(c.items[at:])
	c.items = c.items[:at]
	for _, it := range upper.items {
		it.home = upper
	}
	s.chunks = append(s.chunks, nil)
	copy(s.chunks[n+2:], s.chunks[n+1:])
	s.chunks[n+1] = upper
}

func (s *spaceWindow) remove(it *item) {
	delete(s.byKey, it.key)
	n := s.chunkFor(it.key)
	c := s.chunks[n]
	i := sort.Search(len(c.items), func(i int) bool { return c.items[i].key >= it.key })
	c.items = append(c.items[:i], c.items[i+1:]...)
	switch {
	case len(c.items) == 0:
		s.chunks = append(s.chunks[:n], s.chunks[n+1:]...)
	case n+1 < len(s.chunks) && len(c.items)+len(s.chunks[n+1].items) <= chunkSize/2:
		s.join(n)
	}
}

// join moves all of chunk n+1 to the end of chunk n.
func (s *spaceWindow) join(n int) {
	c, next := s.chunks[n], s.chunks[n+1]
	for _, it := range next.items {
		it.home = c
	}
	c.items = append(c.items, next.items...)
	c.last = max(c.last, next.last)
	s.chunks = append(s.chunks[:n+1], s.chunks[n+2:]...)
}
