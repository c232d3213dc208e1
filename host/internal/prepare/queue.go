package prepare

import (
	"context"
	"slices"
	"sync"
)

// queue says when a build runs: as soon as it fits into the memory and the places
// that all builds have. Builds that requests wait for come first. Otherwise each
// plugin has its turn after the other, and one's builds run one at a time, in the
// order they came. Nothing overtakes what is next, so that a large build gets its
// turn. Safe for concurrent use.
type queue struct {
	mu      sync.Mutex
	limits  Limits
	turns   []*turn // of builds that wait and that run, in the order they came
	running int
	memory  int64 // that those that run may take
	round   int   // of the last turn that began
}

// turn is a build that waits or runs.
type turn struct {
	owner   string // the plugin
	awaited bool
	memory  int64
	round   int           // it comes after those of lower rounds
	begun   chan struct{} // closed when it may run
	runs    bool
}

// now returns the limits of a build that comes now.
func (q *queue) now() Limits {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.limits
}

// limit changes the limits. What no longer fits into the memory of all still runs,
// alone.
func (q *queue) limit(limits Limits) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.limits = limits
	q.begin()
}

// enter waits until a build may run, and returns what ends it. The error is that
// of ctx.
func (q *queue) enter(ctx context.Context, owner string, awaited bool, memory int64) (leave func(), err error) {
	t := q.add(owner, awaited, memory)
	select {
	case <-t.begun:
		return func() { q.leave(t) }, nil
	case <-ctx.Done():
		q.leave(t)
		return nil, ctx.Err()
	}
}

// add puts a build behind the others of its plugin, a round for each of them, so
// that the first of another plugin's builds comes before the second of its.
func (q *queue) add(owner string, awaited bool, memory int64) *turn {
	q.mu.Lock()
	defer q.mu.Unlock()
	t := &turn{owner: owner, awaited: awaited, memory: memory, round: q.round, begun: make(chan struct{})}
	for _, other := range q.turns {
		if other.owner == owner {
			t.round = max(t.round, other.round+1)
		}
	}
	q.turns = append(q.turns, t)
	q.begin()
	return t
}

// leave removes a build that has ended or was given up.
func (q *queue) leave(t *turn) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.turns = slices.DeleteFunc(q.turns, func(other *turn) bool { return other == t })
	if t.runs {
		q.running--
		q.memory -= t.memory
	}
	q.begin()
}

// begin lets those run that fit. The caller holds mu.
func (q *queue) begin() {
	for t := q.next(); t != nil && q.fits(t); t = q.next() {
		t.runs = true
		q.running++
		q.memory += t.memory
		q.round = max(q.round, t.round)
		close(t.begun)
	}
}

// next returns whose turn it is, nil = nobody waits but for a build of the own
// plugin.
func (q *queue) next() (first *turn) {
	for _, t := range q.turns {
		switch {
		case t.runs, !t.awaited && q.builds(t.owner):
		case first == nil, t.awaited && !first.awaited, t.awaited == first.awaited && t.round < first.round:
			first = t
		}
	}
	return first
}

// builds reports whether a build of a plugin runs.
func (q *queue) builds(owner string) bool {
	return slices.ContainsFunc(q.turns, func(t *turn) bool { return t.runs && t.owner == owner })
}

// fits reports whether a build may run beside those that do. One that nobody waits
// for leaves a place and the reserve of memory.
func (q *queue) fits(t *turn) bool {
	places, memory := q.limits.Places, q.limits.Memory
	if !t.awaited {
		places, memory = max(places-1, 1), memory-q.limits.reserve()
	}
	return q.running == 0 || q.running < places && q.memory+t.memory <= memory
}
