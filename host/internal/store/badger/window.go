package badger

import (
	"sort"

	"github.com/wasmoor/wasmoor/host/internal/store"
)

// state is what the committer must know of a key without its data.
type state struct {
	exists  bool
	size    int64 // bytes of data
	expires int64 // Unix ms, 0 = never
	counter int64 // the value of data that can be a counter
	isCount bool
}

func stateOf(v store.Value) state {
	s := state{exists: true, size: int64(len(v.Data)), expires: v.Expires}
	s.counter, s.isCount = store.CounterOf(v.Data)
	return s
}

// hasTail reports whether the record is longer than maxInline.
func (s state) hasTail() bool {
	head := int64(1)
	if s.expires != 0 {
		head += 8
	}
	return s.exists && head+s.size > maxInline
}

// window remembers the latest write to each recently written key: when, and
// what it left there. It answers the two questions of certification (was this
// key, was anything in this interval written after a snapshot), and spares the
// committer reading from disk what was just written. Every write later than
// horizon is in it. Only the committer uses it.
type window struct {
	maxKeys  int
	maxBytes int
	horizon  store.Revision
	spaces   map[store.Space]*spaceWindow
	keys     int
	bytes    int
	// Items in order of their revision; oldest is evicted first.
	oldest, newest *item
}

// item is one remembered key, and the write to it that waits in the group
// being built.
type item struct {
	key        string
	rev        store.Revision
	state      state
	home       *chunk
	space      *spaceWindow
	prev, next *item

	dirty        bool
	record, tail []byte // record nil: encode the counter, or delete
	dropTail     bool
}

// spaceWindow is the part of the window in one key space: a map for point
// reads, and a sorted list of chunks for intervals.
type spaceWindow struct {
	id     store.Space
	last   store.Revision // of the latest write in the space
	byKey  map[string]*item
	chunks []*chunk
}

// chunk is a run of neighbouring keys with the latest revision among them, so
// that an interval is judged a chunk at a time.
type chunk struct {
	items []*item
	last  store.Revision
}

const chunkSize = 128

// itemCost is about what an item takes beside its key.
const itemCost = 200

func newWindow(maxKeys, maxBytes int, horizon store.Revision) *window {
	return &window{maxKeys: maxKeys, maxBytes: maxBytes, horizon: horizon, spaces: make(map[store.Space]*spaceWindow)}
}

// find returns the item of key, nil if there is none.
func (w *window) find(space store.Space, key []byte) *item {
	if s := w.spaces[space]; s != nil {
		return s.byKey[string(key)]
	}
	return nil
}

// writtenSince returns what e may have read that was written after e.Read, nil
// if nothing was.
func (w *window) writtenSince(e *store.Effects) *store.Conflict {
	if len(e.Keys) == 0 && len(e.Ranges) == 0 && e.Record == nil {
		return nil
	}
	if e.Read < w.horizon {
		return &store.Conflict{Space: e.Space}
	}
	if e.Record != nil {
		if it := w.find(e.Space.Records(), e.Record.Key); it != nil && it.rev > e.Read {
			return it.conflict()
		}
	}
	s := w.spaces[e.Space]
	if s == nil || s.last <= e.Read {
		return nil
	}
	for _, key := range e.Keys {
		if it := s.byKey[string(key)]; it != nil && it.rev > e.Read {
			return it.conflict()
		}
	}
	for _, r := range e.Ranges {
		if it := s.writtenSince(r, e.Read); it != nil {
			return it.conflict()
		}
	}
	return nil
}

func (it *item) conflict() *store.Conflict {
	return &store.Conflict{Space: it.space.id, Key: []byte(it.key), Revision: it.rev}
}

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
			if it.rev > read && it.key >= from && (r.To == nil || it.key < to) {
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

// write notes that key has state st since rev, and returns its item. Revisions
// never go down.
func (w *window) write(space store.Space, key []byte, rev store.Revision, st state) *item {
	s := w.spaces[space]
	if s == nil {
		s = &spaceWindow{id: space, byKey: make(map[string]*item)}
		w.spaces[space] = s
	}
	it := s.byKey[string(key)]
	if it == nil {
		it = &item{key: string(key), space: s}
		s.insert(it)
		w.keys++
		w.bytes += len(key) + itemCost
	} else {
		w.unlink(it)
	}
	w.link(it)
	it.rev, it.state = rev, st
	it.home.last, s.last = rev, rev
	return it
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

// split moves the upper half of chunk n to a new chunk behind it. Keys often
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

// evict forgets the oldest writes over the bounds, none later than published:
// what waits in the group being built can be found nowhere else.
func (w *window) evict(published store.Revision) {
	for w.oldest != nil && (w.keys > w.maxKeys || w.bytes > w.maxBytes) && w.oldest.rev <= published {
		it := w.oldest
		w.horizon = max(w.horizon, it.rev)
		w.unlink(it)
		w.keys--
		w.bytes -= len(it.key) + itemCost
		it.space.remove(it)
		if len(it.space.byKey) == 0 {
			delete(w.spaces, it.space.id)
		}
	}
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

func (w *window) link(it *item) {
	it.prev, it.next = w.newest, nil
	if w.newest != nil {
		w.newest.next = it
	} else {
		w.oldest = it
	}
	w.newest = it
}

func (w *window) unlink(it *item) {
	if it.prev != nil {
		it.prev.next = it.next
	} else {
		w.oldest = it.next
	}
	if it.next != nil {
		it.next.prev = it.prev
	} else {
		w.newest = it.prev
	}
	it.prev, it.next = nil, nil
}
