// Package fair holds the requests that wait for the committer, so that each key
// space gets its share. Only package store/badger imports it.
package fair

import "github.com/wasmoor/wasmoor/host/internal/store"

// Quantum is how much weight a key space may have in one group while others want
// some as well.
const Quantum = 1 << 20

// Request is what waits.
type Request interface {
	// Owner returns whose share of a group it takes.
	Owner() store.Space
	// Weight returns what it takes of a batch, in bytes. Each write counts with what
	// it takes besides its data, so that many small ones weigh as much as few large
	// ones that take as long.
	Weight() int64
}

// Backlog holds requests that wait for a later group: in a line for each key space,
// in the order they came, and the lines take turns (deficit round robin). A request
// above the quantum waits until its line has saved enough, while requests of others
// pass; so a plugin that writes as much as it can gets no more of the disk than each
// of its neighbours wants. The zero Backlog is empty. Not safe for concurrent use.
type Backlog[R Request] struct {
	lines []*line[R] // none is empty; the first has its turn next
	of    map[store.Space]*line[R]
}

type line[R Request] struct {
	space    store.Space
	requests []R
	credit   int64
}

// Len counts the requests.
func (b *Backlog[R]) Len() (n int) {
	for _, l := range b.lines {
		n += len(l.requests)
	}
	return n
}

// Empty reports whether nothing waits.
func (b *Backlog[R]) Empty() bool { return len(b.lines) == 0 }

// Waits reports whether a request of space waits: all later ones of it do, too.
func (b *Backlog[R]) Waits(space store.Space) bool { return b.of[space] != nil }

// Add puts r at the end of its line.
func (b *Backlog[R]) Add(r R) {
	space := r.Owner()
	l := b.of[space]
	if l == nil {
		l = &line[R]{space: space}
		if b.of == nil {
			b.of = make(map[store.Space]*line[R])
		}
		b.of[space], b.lines = l, append(b.lines, l)
	}
	l.requests = append(l.requests, r)
}

// Next gives each line its turn and passes what it may have in the group to admit,
// up to what there is no room for.
func (b *Backlog[R]) Next(hasRoom func(R) bool, admit func(R)) {
	for range len(b.lines) {
		l := b.lines[0]
		l.credit = min(l.credit+Quantum, max(Quantum, l.requests[0].Weight()))
		for len(l.requests) > 0 && l.requests[0].Weight() <= l.credit {
			r := l.requests[0]
			if !hasRoom(r) {
				return // it comes first in the next group
			}
			l.credit -= r.Weight()
			clear(l.requests[:1])
			l.requests = l.requests[1:]
			admit(r)
		}
		b.lines = b.lines[1:]
		if len(l.requests) > 0 {
			b.lines = append(b.lines, l)
		} else {
			delete(b.of, l.space)
		}
	}
}
