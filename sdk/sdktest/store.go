package sdktest

import (
	"encoding/binary"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Store is the plugin's key space at the fake host. Its methods act outside any
// request, at once, and are safe for concurrent use.
type Store struct {
	now func() time.Time

	mu       sync.Mutex
	revision int
	values   map[string]value
	messages []*Message // of queues, in the order of sending
	seen     map[string]bool
	changed  map[string]int // revision of the last write to a key, removals included
	names    *Store         // of blobs; nil = it has names itself
}

func newStore(now func() time.Time) *Store {
	return &Store{now: now, values: make(map[string]value), changed: make(map[string]int), seen: make(map[string]bool)}
}

// value is a stored value; a zero expires is never.
type value struct {
	data    []byte
	expires time.Time
}

// expiry is when a value written at now is gone: after ttl, rounded up to a
// whole millisecond as the host does; never if ttl is zero.
func expiry(now time.Time, ttl time.Duration) time.Time {
	if ttl <= 0 {
		return time.Time{}
	}
	at := now.Add(ttl)
	if whole := at.Truncate(time.Millisecond); whole.Before(at) {
		return whole.Add(time.Millisecond)
	}
	return at
}

func (v value) live(now time.Time) bool { return v.expires.IsZero() || now.Before(v.expires) }

// Get returns a value that has not expired.
func (s *Store) Get(key string) (data []byte, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.values[key]
	if !ok || !v.live(s.now()) {
		return nil, false
	}
	return slices.Clone(v.data), true
}

// Int returns the counter at key, zero if there is none.
func (s *Store) Int(key string) int64 {
	data, _ := s.Get(key)
	n, _ := counter(data)
	return n
}

// Keys returns the keys that start with prefix and have not expired, in order.
func (s *Store) Keys(prefix string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var keys []string
	for key, v := range s.values {
		if strings.HasPrefix(key, prefix) && v.live(s.now()) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// Set writes a value; a ttl of zero is none.
func (s *Store) Set(key string, data []byte, ttl time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revision++
	s.put(key, value{data: slices.Clone(data), expires: expiry(s.now(), ttl)})
}

// Delete removes a key.
func (s *Store) Delete(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revision++
	s.remove(key)
}

func (s *Store) put(key string, v value) {
	s.values[key], s.changed[key] = v, s.revision
}

func (s *Store) remove(key string) {
	delete(s.values, key)
	s.changed[key] = s.revision
}

// begin opens a transaction on a snapshot.
func (s *Store) begin() *tx {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := &tx{
		snapshot: maps.Clone(s.values),
		revision: s.revision,
		now:      s.now(),
		writes:   make(map[string]op),
		read:     make(map[string]bool),
	}
	if s.names != nil {
		t.names = s.names.begin()
	}
	return t
}

// verdict is the outcome of a commit.
type verdict int

const (
	committed verdict = iota
	conflict
	notCounter // an add met another value, or overflows
	sameKey    // two writes get one key by a versionstamp
)

// commit applies t's writes if nothing it has read has changed since.
func (s *Store) commit(t *tx) verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conflicts(t) || s.names != nil && s.names.conflicts(t.names) {
		return conflict
	}
	writes, ok := t.stampedWith(uint64(s.revision) + 1)
	if !ok {
		return sameKey
	}
	next := make(map[string]value)
	for key, o := range writes {
		v, ok := o.apply(s.values[key], t.now)
		if !ok {
			return notCounter
		}
		next[key] = v
	}
	s.revision++
	for key, o := range writes {
		if o.kind == opDelete {
			s.remove(key)
		} else {
			s.put(key, next[key])
		}
	}
	s.keep(t)
	if s.names != nil {
		return s.names.commit(t.names)
	}
	return committed
}

// conflicts reports whether something that t has read has changed since.
func (s *Store) conflicts(t *tx) bool {
	for key, revision := range s.changed {
		if revision > t.revision && t.depends(key) {
			return true
		}
	}
	return false
}

// stampedWith returns all writes of t as the commit of a revision makes them. It
// reports whether each has a key of its own.
func (t *tx) stampedWith(revision uint64) (writes map[string]op, ok bool) {
	writes = make(map[string]op)
	for key, o := range t.writes {
		o.value.data = stamp(o.value.data, o.at, revision)
		writes[key] = o
	}
	for _, s := range t.stamped {
		s.value.data = stamp(s.value.data, s.at, revision)
		writes[stamp(s.key, s.keyAt, revision)] = s.op
	}
	return writes, len(writes) == len(t.writes)+len(t.stamped)
}

// counter reads a counter's value; an absent one is zero.
func counter(data []byte) (n int64, ok bool) {
	switch len(data) {
	case 0:
		return 0, data == nil
	case 8:
		return int64(binary.LittleEndian.Uint64(data)), true
	}
	return 0, false
}

func counterValue(n int64) []byte {
	return binary.LittleEndian.AppendUint64(nil, uint64(n))
}

func sum(a, b int64) (int64, bool) {
	n := a + b
	return n, (n > a) == (b > 0)
}
