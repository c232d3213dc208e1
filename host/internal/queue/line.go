package queue

import (
	"bytes"
	"container/heap"
	"slices"
)

// Line is the order in which the messages of one queue are handled: those that are
// due, first sent first handled, and of those that share a key only the first. It is a
// state machine without a clock. Not safe for concurrent use.
type Line struct {
	entries map[ID]*entry
	keys    map[string]*chain
	ready   entries // by ID: due, as far as Take was told
	later   entries // by due
	claimed int
}

// chain is the messages that share a key, in order. The first is handled next, once
// none of them is.
type chain struct {
	list    []*entry
	claimed bool
}

// find returns where a message is, or belongs.
func (c *chain) find(id ID) int {
	i, _ := slices.BinarySearchFunc(c.list, id, func(e *entry, id ID) int { return bytes.Compare(e.id[:], id[:]) })
	return i
}

// remove takes out the message at i.
func (c *chain) remove(i int) {
	if i == 0 { // most often, and there may be many behind it
		c.list[0] = nil
		c.list = c.list[1:]
		return
	}
	c.list = slices.Delete(c.list, i, i+1)
}

type entry struct {
	id      ID
	chain   *chain // nil = it has no key
	key     string
	sent    int64
	due     int64
	claimed bool
	place   *entries // the heap it is in, nil = none
	index   int
}

// Add takes in a message that waits. One that it has already is left as it is.
func (l *Line) Add(id ID, key string, sent, due int64) {
	if l.entries[id] != nil {
		return
	}
	if l.entries == nil {
		l.entries, l.keys = map[ID]*entry{}, map[string]*chain{}
		l.later.before = func(a, b *entry) bool { return a.due < b.due || a.due == b.due && less(a, b) }
		l.ready.before = less
	}
	e := &entry{id: id, key: key, sent: sent, due: due}
	l.entries[id] = e
	if key != "" {
		c := l.keys[key]
		if c == nil {
			c = &chain{}
			l.keys[key] = c
		}
		i := c.find(id)
		c.list = slices.Insert(c.list, i, e)
		e.chain = c
		if i == 0 && len(c.list) > 1 {
			c.list[1].leave() // it is the first no more
		}
	}
	l.wait(e)
}

// wait puts e where Take finds it once it is due, if its key has come to it.
func (l *Line) wait(e *entry) {
	if e.place == nil && !e.claimed && (e.chain == nil || e.chain.list[0] == e && !e.chain.claimed) {
		heap.Push(&l.later, e)
	}
}

// claim notes whether e is being handled.
func (l *Line) claim(e *entry, claimed bool) {
	if e.claimed == claimed {
		return
	}
	e.claimed = claimed
	if e.chain != nil {
		e.chain.claimed = claimed
	}
	if claimed {
		l.claimed++
	} else {
		l.claimed--
	}
}

// Take claims the first message that may be handled at now, if there is one.
func (l *Line) Take(now int64) (id ID, ok bool) {
	for len(l.later.list) > 0 && l.later.list[0].due <= now {
		e := l.later.list[0]
		e.leave()
		heap.Push(&l.ready, e)
	}
	if len(l.ready.list) == 0 {
		return id, false
	}
	e := l.ready.list[0]
	e.leave()
	l.claim(e, true)
	return e.id, true
}

// Next returns when Take will find something, if nothing changes.
func (l *Line) Next() (due int64, ok bool) {
	switch {
	case len(l.ready.list) > 0:
		return 0, true
	case len(l.later.list) > 0:
		return l.later.list[0].due, true
	}
	return 0, false
}

// Back gives up the claim of a message, which is due again then.
func (l *Line) Back(id ID, due int64) {
	e := l.entries[id]
	if e == nil || !e.claimed {
		return
	}
	l.claim(e, false)
	e.due = due
	if e.chain != nil {
		e = e.chain.list[0]
	}
	l.wait(e)
}

// Has reports whether a message is here: one that was removed while it was handled is not.
func (l *Line) Has(id ID) bool { return l.entries[id] != nil }

// Remove forgets a message, claimed or not: it was handled, or is there no more.
func (l *Line) Remove(id ID) {
	e := l.entries[id]
	if e == nil {
		return
	}
	delete(l.entries, id)
	e.leave()
	l.claim(e, false)
	if e.chain == nil {
		return
	}
	e.chain.remove(e.chain.find(id))
	if len(e.chain.list) == 0 {
		delete(l.keys, e.key)
		return
	}
	l.wait(e.chain.list[0])
}

// Len returns how many messages there are, and how many of them are claimed.
func (l *Line) Len() (all, claimed int) { return len(l.entries), l.claimed }

// Oldest returns when the message was sent that is here for longest; false = there is
// none. It looks at all of them.
func (l *Line) Oldest() (sent int64, ok bool) {
	for _, e := range l.entries {
		if !ok || e.sent < sent {
			sent, ok = e.sent, true
		}
	}
	return sent, ok
}

func less(a, b *entry) bool { return bytes.Compare(a.id[:], b.id[:]) < 0 }

// entries is a heap that knows where its entries are.
type entries struct {
	list   []*entry
	before func(a, b *entry) bool
}

func (e *entry) leave() {
	if e.place != nil {
		heap.Remove(e.place, e.index)
	}
}

// Len implements heap.Interface.
func (h *entries) Len() int { return len(h.list) }

// Less implements heap.Interface.
func (h *entries) Less(i, j int) bool { return h.before(h.list[i], h.list[j]) }

// Swap implements heap.Interface.
func (h *entries) Swap(i, j int) {
	h.list[i], h.list[j] = h.list[j], h.list[i]
	h.list[i].index, h.list[j].index = i, j
}

// Push implements heap.Interface.
func (h *entries) Push(x any) {
	e := x.(*entry)
	e.place, e.index = h, len(h.list)
	h.list = append(h.list, e)
}

// Pop implements heap.Interface.
func (h *entries) Pop() any {
	last := len(h.list) - 1
	e := h.list[last]
	h.list[last] = nil
	h.list = h.list[:last]
	e.place = nil
	return e
}
