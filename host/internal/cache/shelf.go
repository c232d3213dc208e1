package cache

import (
	"container/list"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/store/kept"
)

// shelf has the answers of one plugin. Which of them have to go when there is no room is
// decided by SIEVE (NSDI 2024): a hit only sets a bit, so that hits share no lock but that
// of readers of a part of the map.
type shelf struct {
	cache  *Cache
	parts  [16]part
	routes sync.Map // pattern to *counts
	bytes  atomic.Int64

	plugin string

	mu      sync.Mutex // before those of the parts
	idle    bool       // it had nothing at the last sweep
	over    bool       // it is no plugin's any more
	order   *list.List // of entries, the newest first
	hand    *list.Element
	flights map[key]*flight
	flown   uint64 // flights so far
	renewed int    // flights that make an answer anew
}

// part is a part of a shelf's entries.
type part struct {
	mu sync.RWMutex
	by map[key]*entry
}

// entry is an answer, or a note: which fields the answers for a key depend on, or that they
// are not kept.
type entry struct {
	shelf   *shelf
	key     key
	answer  *Answer // nil = it is a note
	vary    []string
	passes  bool
	until   time.Time // it is fresh until then
	ends    time.Time // and may be given until then while one run makes it anew
	size    int64
	reads   *kept.Entry
	route   *counts
	visited atomic.Bool
	at      *list.Element // nil = it is on no shelf
}

// counts are those of a route.
type counts struct {
	hits, stale, shared, kept, passed atomic.Int64
	ended                             [reasons]atomic.Int64
}

// reason says why an answer is kept no more.
type reason int

const (
	byChange  reason = iota // of what it rests on
	byTime                  // its own, or that of a value that it rests on
	byRoom                  // there is none
	byVersion               // another deployment serves
	byAnswer                // a newer one took its place
	reasons
)

var reasonNames = [reasons]string{"change", "time", "room", "version", "answer"}

func newShelf(c *Cache, plugin string) *shelf {
	s := &shelf{cache: c, plugin: plugin, order: list.New(), flights: map[key]*flight{}}
	for i := range s.parts {
		s.parts[i].by = map[key]*entry{}
	}
	return s
}

var seed = maphash.MakeSeed()

func (s *shelf) part(k *key) *part {
	return &s.parts[(maphash.String(seed, k.path)^maphash.String(seed, k.query))%uint64(len(s.parts))]
}

func (s *shelf) find(k *key) *entry {
	p := s.part(k)
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.by[*k]
}

func (s *shelf) countsOf(pattern string) *counts {
	if of, ok := s.routes.Load(pattern); ok {
		return of.(*counts)
	}
	of, _ := s.routes.LoadOrStore(pattern, new(counts))
	return of.(*counts)
}

// entryCost is about what an entry takes in addition to its strings and its reads.
const entryCost = 640

// visit notes that somebody has asked for the entry.
func (e *entry) visit() {
	if !e.visited.Load() {
		e.visited.Store(true)
	}
}

// put places an entry in place of another with its key, and makes room for it. It is there
// for as long as its reads hold.
func (s *shelf) put(e *entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		e.reads.Close()
		return
	}
	if old := s.find(&e.key); old != nil {
		s.remove(old, old.fate())
	}
	e.size += entryCost + e.key.cost()
	s.bytes.Add(e.size)
	e.at = s.order.PushFront(e)
	p := s.part(&e.key)
	p.mu.Lock()
	p.by[e.key] = e
	p.mu.Unlock()
	s.cache.targets.add(e, 1)
	s.makeRoom()
	if e.reads != nil && !e.reads.Holds() { // it was told before it was here
		s.remove(e, byChange)
	}
}

// fate says why an entry gives way to a newer one. The caller holds mu.
func (e *entry) fate() reason {
	switch {
	case e.reads != nil && !e.reads.Holds():
		return byChange
	case !e.until.After(time.Now()):
		return byTime
	}
	return byAnswer
}

// makeRoom removes entries until the plugin has no more than its share: from the oldest on,
// those that nobody has asked for since the last time. The caller holds mu.
func (s *shelf) makeRoom() {
	for most := s.cache.share(); s.bytes.Load() > most; {
		at := s.hand
		if at == nil {
			at = s.order.Back()
		}
		if at == nil {
			return
		}
		e := at.Value.(*entry)
		s.hand = at.Prev()
		if !e.visited.Swap(false) {
			s.remove(e, byRoom)
		}
	}
}

// drop removes an entry, if it is there.
func (s *shelf) drop(e *entry, why reason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(e, why)
}

// remove is drop. The caller holds mu.
func (s *shelf) remove(e *entry, why reason) {
	if e.at == nil {
		return
	}
	if s.hand == e.at {
		s.hand = e.at.Prev()
	}
	s.order.Remove(e.at)
	e.at = nil
	p := s.part(&e.key)
	p.mu.Lock()
	delete(p.by, e.key)
	p.mu.Unlock()
	s.cache.targets.add(e, -1)
	s.bytes.Add(-e.size)
	e.reads.Close()
	if e.answer != nil {
		e.route.ended[why].Add(1)
	}
}

// trim removes what is of no use, and has the shelf take no more than its share. It reports
// whether the shelf is given up, because it has had nothing for a while.
func (s *shelf) trim(now time.Time) (over bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.makeRoom()
	for at := s.order.Front(); at != nil; {
		e := at.Value.(*entry)
		at = at.Next()
		switch d := e.key.deployment; {
		case !e.ends.After(now):
			s.remove(e, byTime)
		case !d.Acquire():
			s.remove(e, byVersion)
		default:
			d.Release()
		}
	}
	was := s.idle
	s.idle = s.order.Len() == 0 && len(s.flights) == 0
	s.over = was && s.idle
	return s.over
}

func (s *shelf) stats() Of {
	s.mu.Lock()
	of := Of{Plugin: s.plugin, Entries: int64(s.order.Len()), Bytes: s.bytes.Load()}
	s.mu.Unlock()
	s.routes.Range(func(pattern, c any) bool {
		n := c.(*counts)
		r := Route{Pattern: pattern.(string), Hits: n.hits.Load(), Stale: n.stale.Load(), Shared: n.shared.Load(), Kept: n.kept.Load(), Passed: n.passed.Load(), Ended: map[string]int64{}}
		for why := range n.ended {
			r.Ended[reasonNames[why]] = n.ended[why].Load()
		}
		of.Routes = append(of.Routes, r)
		return true
	})
	return of
}
