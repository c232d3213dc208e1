// Package pages keeps values in memory that snapshots read again and again: pages of
// databases. A snapshot never finds what another revision has there. Only package
// store/badger imports it.
package pages

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Memory is what the values take at most, in bytes.
const Memory = 64 << 20

const (
	shards   = 64
	overhead = 256 // about the bytes of an entry without key and data
)

// Keeps reports whether values of an area are kept.
func Keeps(space store.Space) bool { return space.Area() == store.AreaSQL }

// Pages are values by key, each as it is from a revision on. Every change has to pass
// through Change before a snapshot can show it. Safe for concurrent use.
type Pages struct {
	seed    maphash.Seed
	room    int64 // bytes of a shard
	shards  [shards]shard
	changes [256]atomic.Uint64 // the last revision that changed an area; several areas may share one
}

type shard struct {
	mu    sync.RWMutex
	kept  map[string]*entry
	bytes int64
	// since is a revision from which on no key that is not kept has changed: an older
	// snapshot's value may be no longer there, and is not taken.
	since store.Revision
	_     [64]byte // others' cache lines
}

// entry is what a key has from a revision on, until it changes.
type entry struct {
	value store.Value // never changed
	there bool        // else the key has none
	from  store.Revision
	used  atomic.Bool
}

// New keeps nothing yet. revision is the newest that there is.
func New(revision store.Revision, memory int64) *Pages {
	p := &Pages{seed: maphash.MakeSeed(), room: memory / shards}
	for i := range p.shards {
		p.shards[i].kept, p.shards[i].since = map[string]*entry{}, revision
	}
	for i := range p.changes {
		p.changes[i].Store(uint64(revision))
	}
	return p
}

func (p *Pages) shard(key []byte) *shard { return &p.shards[maphash.Bytes(p.seed, key)%shards] }

func (p *Pages) change(space store.Space) *atomic.Uint64 {
	return &p.changes[maphash.Comparable(p.seed, space)%uint64(len(p.changes))]
}

// Get returns what a key has at a revision, if that is kept.
func (p *Pages) Get(key []byte, at store.Revision) (v store.Value, there, kept bool) {
	s := p.shard(key)
	s.mu.RLock()
	e := s.kept[string(key)]
	s.mu.RUnlock()
	if e == nil || e.from > at {
		return v, false, false
	}
	if !e.used.Load() {
		e.used.Store(true)
	}
	return e.value, e.there, true
}

// Add keeps what a snapshot of a revision has read, unless the key may have changed
// since.
func (p *Pages) Add(key []byte, at store.Revision, v store.Value, there bool) {
	s := p.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if at >= s.since && s.kept[string(key)] == nil {
		s.put(string(key), &entry{value: v, there: there, from: at}, p.room)
	}
}

// Change notes what a key of an area has from a revision on.
func (p *Pages) Change(space store.Space, key []byte, revision store.Revision, v store.Value, there bool) {
	p.change(space).Store(uint64(revision))
	s := p.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.kept[string(key)]
	if e != nil {
		s.drop(string(key), e)
	}
	if e == nil || !there {
		s.since = revision
		return
	}
	s.put(string(key), &entry{value: v, there: true, from: revision}, p.room)
}

// Since returns a revision from which on, up to at, nothing in an area has changed.
func (p *Pages) Since(space store.Space, at store.Revision) store.Revision {
	return min(store.Revision(p.change(space).Load()), at)
}

// put takes an entry in, and others out that were not used of late. The caller holds mu.
func (s *shard) put(key string, e *entry, room int64) {
	s.kept[key] = e
	s.bytes += size(key, e)
	for range 2 {
		for other, o := range s.kept { // in no order
			if s.bytes <= room {
				return
			}
			if o != e && !o.used.Swap(false) {
				s.drop(other, o)
			}
		}
	}
	if s.bytes > room {
		s.drop(key, e)
	}
}

// drop takes an entry out. The caller holds mu.
func (s *shard) drop(key string, e *entry) {
	delete(s.kept, key)
	s.bytes -= size(key, e)
	s.since = max(s.since, e.from)
}

func size(key string, e *entry) int64 { return int64(len(key)+len(e.value.Data)) + overhead }
