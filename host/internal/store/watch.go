package store

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Bounds of what a Watch keeps until it is taken.
const (
	maxWatchedKeys  = 1000
	maxWatchedBytes = 64 << 10
)

// Watch collects the keys that commits change. Nothing waits for whoever takes
// them: equal keys count once, and what is over the bounds is not kept, but said
// to be lost. Close it. Safe for concurrent use.
type Watch struct {
	of     *Watches
	space  Space
	prefix string
	signal chan struct{}

	mu       sync.Mutex
	keys     map[string]struct{}
	bytes    int
	lost     bool
	revision Revision
}

// Changes lists what commits have changed since the last Take.
type Changes struct {
	// Keys were set, added to or deleted, expired ones by the sweep; in order.
	Keys [][]byte
	// Lost says that more changed than is kept, or that the space was dropped:
	// read all that was watched again. Keys is empty.
	Lost bool
	// Revision is that of the last commit that changed something, 0 if none did.
	// A snapshot of that revision or a later one shows all of it.
	Revision Revision
}

// Changed receives after a change; several may be told by one value. What is
// read before the first Watch of it, or before Take, may be out of date: watch
// first, then read.
func (w *Watch) Changed() <-chan struct{} { return w.signal }

// Take returns what has changed since the last Take, and forgets it.
func (w *Watch) Take() Changes {
	w.mu.Lock()
	keys, c := w.keys, Changes{Lost: w.lost, Revision: w.revision}
	w.keys, w.bytes, w.lost, w.revision = nil, 0, false, 0
	w.mu.Unlock()
	for key := range keys {
		c.Keys = append(c.Keys, []byte(key))
	}
	slices.SortFunc(c.Keys, slices.Compare[[]byte])
	return c
}

// Close ends the watch. Closing twice is fine.
func (w *Watch) Close() { w.of.remove(w) }

// note takes a change in; without a key everything may have changed.
func (w *Watch) note(key []byte, revision Revision) {
	w.mu.Lock()
	w.add(key)
	w.revision = revision
	w.mu.Unlock()
	select {
	case w.signal <- struct{}{}:
	default:
	}
}

func (w *Watch) add(key []byte) {
	if _, ok := w.keys[string(key)]; ok || w.lost {
		return
	}
	if key == nil || len(w.keys) == maxWatchedKeys || w.bytes+len(key) > maxWatchedBytes {
		w.keys, w.bytes, w.lost = nil, 0, true
		return
	}
	if w.keys == nil {
		w.keys = make(map[string]struct{})
	}
	w.keys[string(key)] = struct{}{}
	w.bytes += len(key)
}

// Watches are the open watches of an engine, which publishes to them. The zero
// value has none. Safe for concurrent use.
type Watches struct {
	open    atomic.Int64
	mu      sync.RWMutex
	by      map[Space][]*Watch
	follows map[*Follow]struct{}
}

// Add opens a watch of the keys of space that start with prefix.
func (ws *Watches) Add(space Space, prefix []byte) *Watch {
	w := &Watch{of: ws, space: space, prefix: string(prefix), signal: make(chan struct{}, 1)}
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.by == nil {
		ws.by = make(map[Space][]*Watch)
	}
	ws.by[space] = append(ws.by[space], w)
	ws.open.Add(1)
	return w
}

func (ws *Watches) remove(w *Watch) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if i := slices.Index(ws.by[w.space], w); i >= 0 {
		ws.by[w.space] = slices.Delete(ws.by[w.space], i, i+1)
		ws.open.Add(-1)
	}
	if len(ws.by[w.space]) == 0 {
		delete(ws.by, w.space)
	}
}

// Any reports whether there is a watch or a Follow, without waiting.
func (ws *Watches) Any() bool { return ws.open.Load() > 0 }

// Publish tells the watches of changed keys of spaces, and of dropped spaces,
// once a snapshot of the group's revision shows them, and passes the group on.
func (ws *Watches) Publish(g Group) {
	ws.mu.RLock()
	defer ws.mu.RUnlock()
	for f := range ws.follows {
		f.note(g)
	}
	if len(ws.by) == 0 {
		return
	}
	for space, key := range g.Changed {
		for _, w := range ws.by[space] {
			if strings.HasPrefix(string(key), w.prefix) {
				w.note(key, g.Revision)
			}
		}
	}
	for _, space := range g.Dropped {
		for _, a := range Areas() {
			for _, w := range ws.by[space.In(a)] {
				w.note(nil, g.Revision)
			}
		}
	}
}
