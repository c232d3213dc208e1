package store

import (
	"iter"
	"sync"
)

// Group is what commits have changed that became readable together.
type Group struct {
	Revision Revision // of the last of them
	// Changed passes each changed key once, in order of space and key. It may be called
	// later, and more than once.
	Changed iter.Seq2[Space, []byte]
	Dropped []Space
	Size    int64 // about the bytes that it keeps in memory
}

// Bounds of what a Follow keeps until it is taken.
const (
	maxFollowedGroups = 10_000
	maxFollowedBytes  = 64 << 20
)

// Follow passes on every group that is published, in order. Nothing waits for whoever
// takes them, and passing one on takes the same time however large it is: what is over
// the bounds is said to be lost. Close it. Safe for concurrent use.
type Follow struct {
	of     *Watches
	signal chan struct{}

	mu     sync.Mutex
	groups []Group
	bytes  int64
	lost   Revision
}

// Changed receives after a group was published; several may be told by one value.
func (f *Follow) Changed() <-chan struct{} { return f.signal }

// Take returns the groups since the last Take. Unless lost is 0, groups up to that
// revision are missing, and those that are returned are later. All groups later than a
// snapshot are passed that was opened when f was there.
func (f *Follow) Take() (groups []Group, lost Revision) {
	f.mu.Lock()
	defer f.mu.Unlock()
	groups, lost = f.groups, f.lost
	f.groups, f.bytes, f.lost = nil, 0, 0
	return groups, lost
}

// Close ends it. Closing twice is fine.
func (f *Follow) Close() { f.of.leave(f) }

func (f *Follow) note(g Group) {
	f.mu.Lock()
	if len(f.groups) == maxFollowedGroups || f.bytes+g.Size > maxFollowedBytes {
		f.groups, f.bytes, f.lost = nil, 0, g.Revision
	} else {
		f.groups, f.bytes = append(f.groups, g), f.bytes+g.Size
	}
	f.mu.Unlock()
	select {
	case f.signal <- struct{}{}:
	default:
	}
}

// Follow opens a Follow.
func (ws *Watches) Follow() *Follow {
	f := &Follow{of: ws, signal: make(chan struct{}, 1)}
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.follows == nil {
		ws.follows = map[*Follow]struct{}{}
	}
	ws.follows[f] = struct{}{}
	ws.open.Add(1)
	return f
}

func (ws *Watches) leave(f *Follow) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if _, ok := ws.follows[f]; ok {
		delete(ws.follows, f)
		ws.open.Add(-1)
	}
}
