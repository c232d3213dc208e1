package trace

import (
	"slices"
	"sync"
	"sync/atomic"
)

// Records that a Log keeps of one plugin.
const (
	Recent  = 128 // the last ones
	Notable = 64  // the last ones that were Notable, which many good ones do not push out
)

// Log keeps the last records of one plugin, in bounded memory: at most about
// 150 KB. The zero Log is empty. Safe for concurrent use; Add waits for nobody but
// who reads or writes the same slot.
type Log struct {
	slots           [Recent + Notable]slot // the notable ones come last
	recent, notable atomic.Uint64          // how many there were; both parts are written in turn
}

// Add keeps a copy of r, whose texts are cut where they are long. It allocates
// only until the log is full.
func (l *Log) Add(r *Record) {
	if r.Notable() {
		l.slots[Recent+(l.notable.Add(1)-1)%Notable].set(r)
		return
	}
	l.slots[(l.recent.Add(1)-1)%Recent].set(r)
}

// Find returns the records of a request id, the oldest first: more than one when
// a client used it again.
func (l *Log) Find(id string) (found []Record) {
	for i := range l.slots {
		if r, ok := l.slots[i].get(id); ok {
			found = append(found, r)
		}
	}
	slices.SortStableFunc(found, func(a, b Record) int { return a.Start.Compare(b.Start) })
	return found
}

type slot struct {
	mu sync.Mutex
	of *entry // nil = never written
}

func (s *slot) set(r *Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of == nil {
		s.of = new(entry)
	}
	s.of.set(r)
}

// get returns the record of the slot, if it is of a request with the id.
func (s *slot) get(id string) (Record, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of == nil || !s.of.has(id) {
		return Record{}, false
	}
	return s.of.record(), true
}

// entry is a record with its texts in memory of its own: a Record's may be parts
// of something much larger.
type entry struct {
	fixed Record
	text  [maxText]byte
	ends  [texts]uint16
}

// The texts of an entry have so many bytes, each and together. A request's id is
// never longer.
const (
	texts    = 7
	maxText  = 384
	maxField = 128
)

// fields lists the texts of a record, what matters most first.
func (r *Record) fields() [texts]*string {
	return [texts]*string{&r.ID, &r.Plugin, &r.Method, &r.ConflictKey, &r.Path, &r.Error, &r.Pattern}
}

func (e *entry) set(r *Record) {
	e.fixed = *r
	e.fixed.Timeline = nil
	at := 0
	for i, field := range e.fixed.fields() {
		n := copy(e.text[at:], (*field)[:min(len(*field), maxField)])
		at += n
		e.ends[i] = uint16(at)
		*field = ""
	}
}

func (e *entry) has(id string) bool { return string(e.text[:e.ends[0]]) == id }

func (e *entry) record() Record {
	r, at := e.fixed, uint16(0)
	for i, field := range r.fields() {
		*field, at = string(e.text[at:e.ends[i]]), e.ends[i]
	}
	return r
}
