package kept

import (
	"hash/maphash"
	"sync"

	"github.com/wasmoor/wasmoor/host/internal/store"
)

// shard holds a part of the index, under a lock of its own.
type shard struct {
	mu     sync.Mutex
	keys   map[store.Space]map[string]*bucket
	ranges map[store.Space]*tree
}

// bucket is the entries that rest on one key, or on one interval.
type bucket struct {
	entries map[*Entry]struct{}
	space   store.Space
	key     string
	of      *interval // nil = of a key
	taken   bool      // it is in the index no more, and whoever took it has its entries
}

// touch tells the entries of a bucket that was taken.
func (b *bucket) touch() {
	for e := range b.entries {
		e.touch()
	}
}

var seed = maphash.MakeSeed()

func (x *Index) shardOfKey(space store.Space, key []byte) *shard {
	return &x.shards[(maphash.Bytes(seed, key)^uint64(space)*0x9e3779b97f4a7c15)%uint64(len(x.shards))]
}

// shardOf returns the shard that has the intervals of a space.
func (x *Index) shardOf(space store.Space) *shard {
	return &x.shards[uint64(space)*0x9e3779b97f4a7c15>>32%uint64(len(x.shards))]
}

func (s *shard) addKey(space store.Space, key []byte, e *Entry) *bucket {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys == nil {
		s.keys = map[store.Space]map[string]*bucket{}
	}
	of := s.keys[space]
	if of == nil {
		of = map[string]*bucket{}
		s.keys[space] = of
	}
	b := of[string(key)]
	if b == nil {
		b = &bucket{entries: map[*Entry]struct{}{}, space: space, key: string(key)}
		of[b.key] = b
	}
	b.entries[e] = struct{}{}
	return b
}

func (s *shard) addRange(space store.Space, r store.Range, e *Entry) *bucket {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ranges == nil {
		s.ranges = map[store.Space]*tree{}
	}
	t := s.ranges[space]
	if t == nil {
		t = new(tree)
		s.ranges[space] = t
	}
	it := t.insert(string(r.From), string(r.To), r.To == nil)
	if it.bucket == nil {
		it.bucket = &bucket{entries: map[*Entry]struct{}{}, space: space, of: it}
	}
	it.bucket.entries[e] = struct{}{}
	return it.bucket
}

// takeKey takes the bucket of a key out of the index. Entries are told once, so a
// commit that follows does not walk over those that are told already.
func (s *shard) takeKey(space store.Space, key []byte) []*bucket {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.keys[space][string(key)]
	if b == nil {
		return nil
	}
	s.drop(b)
	return []*bucket{b}
}

// takeRanges does that with the intervals that hold a key.
func (s *shard) takeRanges(space store.Space, key []byte) (taken []*bucket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.ranges[space]
	if t == nil {
		return nil
	}
	t.holding(string(key), func(it *interval) { taken = append(taken, it.bucket) })
	for _, b := range taken {
		s.drop(b)
	}
	return taken
}

// drop takes a bucket out of the index. The caller holds mu.
func (s *shard) drop(b *bucket) {
	b.taken = true
	if b.of == nil {
		delete(s.keys[b.space], b.key)
		if len(s.keys[b.space]) == 0 {
			delete(s.keys, b.space)
		}
		return
	}
	t := s.ranges[b.space]
	t.remove(b.of)
	if t.root == nil {
		delete(s.ranges, b.space)
	}
}

// remove takes an entry out of a bucket.
func (s *shard) remove(b *bucket, e *Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b.taken {
		return
	}
	delete(b.entries, e)
	if len(b.entries) == 0 {
		s.drop(b)
	}
}
