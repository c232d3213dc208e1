package certify

import (
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// window remembers the latest write to each recently written key: when, and
// what it left there. It answers the two questions of certification (was this
// key, was anything in this interval written after a snapshot), and knows the
// state of keys that may not be on disk yet.
//
// Every write later than horizon counts: it is kept, or over the bounds it fades.
// What has lapsed either way is kept until it is released: when that happens
// changes no answer.
type window struct {
	max      Bounds
	horizon  store.Revision
	released store.Revision // the newest write that was given up
	now      int64          // the latest time a commit recorded, Unix milliseconds
	spaces   map[store.Space]*spaceWindow
	keys     int // that count
	bytes    int
	spans    int   // of all spaces
	dropped  int64 // now, when the old spans of all spaces were dropped
	// Items in order of their revision. Those before counted count no more.
	oldest, counted, newest *item
}

// item is one remembered key.
type item struct {
	key        string
	rev        store.Revision
	at         int64 // window.now when it was written
	lapsed     bool  // counts no more, or has faded
	state      store.State
	home       *chunk
	space      *spaceWindow
	prev, next *item
}

func newWindow(b Bounds, horizon store.Revision) *window {
	return &window{max: b, horizon: horizon, released: horizon, spaces: make(map[store.Space]*spaceWindow)}
}

// itemCost is about how many bytes an item takes in addition to its key.
const itemCost = 200

func (it *item) cost() int { return len(it.key) + itemCost }

// passed notes the time that a commit records. It never goes back.
func (w *window) passed(now int64) { w.now = max(w.now, now) }

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
	for i := range e.Parts {
		p := &e.Parts[i]
		if len(p.Keys) == 0 && len(p.Ranges) == 0 && len(p.Records) == 0 {
			continue
		}
		if e.Read < w.horizon {
			return &store.Conflict{Space: p.Space}
		}
		if it := w.partWrittenSince(p, e.Read); it != nil {
			return &store.Conflict{Space: it.space.id, Key: []byte(it.key), Revision: it.rev}
		}
		if w.partFadedSince(p, e.Read) {
			return &store.Conflict{Space: p.Space}
		}
	}
	return nil
}

// partFadedSince reports whether what p read, and is not remembered by itself, may
// have been written after read.
func (w *window) partFadedSince(p *store.Part, read store.Revision) bool {
	records := w.spaces[p.Space.In(store.AreaRecords)]
	for i := range p.Records {
		if records != nil && records.keyFadedSince(p.Records[i].Key, read) {
			return true
		}
	}
	s := w.spaces[p.Space]
	if s == nil || s.faded <= read {
		return false
	}
	for _, key := range p.Keys {
		if s.keyFadedSince(key, read) {
			return true
		}
	}
	for _, r := range p.Ranges {
		if s.fadedSince(string(r.From), string(r.To), r.To == nil, read) {
			return true
		}
	}
	return false
}

// keyFadedSince asks about a key. One that counts has not been written since.
func (s *spaceWindow) keyFadedSince(key []byte, read store.Revision) bool {
	if s.faded <= read {
		return false
	}
	if it := s.byKey[string(key)]; it != nil && !it.lapsed {
		return false
	}
	return s.fadedSince(string(key), string(key)+"\x00", false, read)
}

// writtenSince reports whether the key counts as written after read.
func (it *item) writtenSince(read store.Revision) bool { return it.rev > read && !it.lapsed }

// partWrittenSince returns a key that p read and that was written after read.
func (w *window) partWrittenSince(p *store.Part, read store.Revision) *item {
	for i := range p.Records {
		if it := w.find(p.Space.In(store.AreaRecords), p.Records[i].Key); it != nil && it.writtenSince(read) {
			return it
		}
	}
	s := w.spaces[p.Space]
	if s == nil || s.last <= read {
		return nil
	}
	for _, key := range p.Keys {
		if it := s.byKey[string(key)]; it != nil && it.writtenSince(read) {
			return it
		}
	}
	for _, r := range p.Ranges {
		if it := s.writtenSince(r, read); it != nil {
			return it
		}
	}
	return nil
}

// write notes that key has state st since rev. Revisions never go down.
func (w *window) write(space store.Space, key []byte, rev store.Revision, st store.State) {
	s := w.spaces[space]
	if s == nil {
		s = &spaceWindow{id: space, byKey: make(map[string]*item)}
		w.spaces[space] = s
	}
	it := s.byKey[string(key)]
	if it == nil {
		it = &item{key: string(key), space: s, lapsed: true}
		s.insert(it)
	} else {
		w.unlink(it)
	}
	if it.lapsed {
		it.lapsed = false
		w.keys++
		w.bytes += it.cost()
	}
	w.link(it)
	it.rev, it.at, it.state = rev, w.now, st
	it.home.last, s.last = rev, rev
}

// forget has the oldest writes over the bounds lapse: the horizon moves past those
// that are old, and the others fade.
func (w *window) forget() {
	for it := w.counted; it != nil; it = w.counted {
		old := w.now-it.at > Horizon.Milliseconds()
		if !w.over(old) {
			return
		}
		if old || !w.fade(it) {
			w.horizon = max(w.horizon, it.rev)
		}
		it.lapsed = true
		w.counted = it.next
		w.keys--
		w.bytes -= it.cost()
	}
}

// over reports whether there are too many writes to keep one that is old, or young.
func (w *window) over(old bool) bool {
	if old {
		return w.keys > w.max.Keys/4 || w.bytes > w.max.Bytes/4
	}
	return w.keys > w.max.Keys || w.bytes > w.max.Bytes
}

// release gives up what counts no more and can be read again at revision.
func (w *window) release(revision store.Revision) {
	for w.oldest != w.counted && w.oldest.rev <= revision {
		it := w.oldest
		w.released = it.rev
		w.unlink(it)
		it.space.remove(it)
		if it.space.empty() {
			delete(w.spaces, it.space.id)
		}
	}
}

func (w *window) link(it *item) {
	it.prev, it.next = w.newest, nil
	if w.newest != nil {
		w.newest.next = it
	} else {
		w.oldest = it
	}
	if w.counted == nil {
		w.counted = it
	}
	w.newest = it
}

func (w *window) unlink(it *item) {
	if it == w.counted {
		w.counted = it.next
	}
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
