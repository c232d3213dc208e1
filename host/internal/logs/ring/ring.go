package ring

import (
	"slices"
	"sync"
	"time"
)

// Ring keeps the last lines of one plugin. Safe for concurrent use. A nil Ring
// keeps nothing.
type Ring struct {
	folder *Folder
	name   string

	files    sync.Mutex // is locked before mu, and while files are read or written
	segments segments

	mu      sync.Mutex // is held for some instructions, and never while anything waits
	closed  bool       // nothing is kept any more
	n       uint64     // lines in this run
	waiting []byte     // lines that are not on disk
	spare   []byte     // for them
	holds   int        // bytes of lines that wait, or are being written
	dirty   bool       // the folder knows that there is something to write
	missed  missed
	follow  []*Follower
}

// missed counts lines for which there was no room.
type missed struct {
	lines       int64
	first, last time.Time
	told        time.Time // when a line said how many the last time
}

const (
	// maxWaiting is how many bytes of a ring's lines wait to be written.
	maxWaiting = 256 << 10
	// urgent is how many have them written at once.
	urgent = maxWaiting / 4
	// tellMissed is the time between two lines that say how many were dropped.
	tellMissed = time.Second
	// keptRoom is how many bytes of a buffer are kept for later lines.
	keptRoom = 16 << 10
)

// Append keeps a line, or drops it where too many wait for the disk. It waits for
// nobody and keeps nothing of l.
func (r *Ring) Append(l *Line) {
	if r == nil {
		return
	}
	size := sizeOf(l)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
	case r.holds+size > maxWaiting || r.folder.holds.Load()+int64(size) > maxWaitingInAll:
		r.miss(l.Time)
	default:
		r.keep(l)
	}
}

// sizeOf is the most that a line takes.
func sizeOf(l *Line) int {
	const numbers = headSize + 12*10
	n := numbers + len(l.RequestID) + min(len(l.Message), maxMessage)
	for _, a := range l.Attrs {
		n += 8 + len(a.Name) + len(a.Value)
	}
	return min(n, maxBody)
}

// Drop counts a line that somebody else had no room for.
func (r *Ring) Drop() {
	if r == nil {
		return
	}
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.miss(now)
	}
}

// keep adds a line to those that wait, and to the queues of followers.
func (r *Ring) keep(l *Line) {
	r.n += l.numbers()
	l.Cursor = Cursor{r.folder.run, r.n}
	start := len(r.waiting)
	r.waiting = appendLine(r.waiting, l)
	line := r.waiting[start:]
	r.holds += len(line)
	r.folder.holds.Add(int64(len(line)))
	for _, f := range r.follow {
		f.offer(line)
	}
	r.stir()
}

func (r *Ring) miss(at time.Time) {
	if r.missed.lines == 0 {
		r.missed.first = at
	}
	r.missed.lines++
	r.missed.last = at
	r.stir()
}

// stir has the folder's goroutine write the ring, at once where much waits.
func (r *Ring) stir() {
	if !r.dirty {
		r.dirty = true
		r.folder.stirred(r)
	}
	if r.holds > urgent {
		r.folder.hurry()
	}
}

// tellMissed keeps a line that says how many were dropped, at most once in a while, and
// while there is room.
func (r *Ring) tellMissed(now time.Time, last bool) {
	m := &r.missed
	if m.lines == 0 || !last && (now.Sub(m.told) < tellMissed || r.holds > maxWaiting) {
		return
	}
	r.keep(&Line{Time: m.last, From: m.first, Dropped: m.lines})
	*m = missed{told: now}
}

// flush writes the lines that wait, unless the disk is full.
func (r *Ring) flush(now time.Time, full, last bool) {
	r.files.Lock()
	defer r.files.Unlock()
	lines := r.take(now, full, last)
	var err error
	if len(lines) > 0 {
		err = r.segments.write(lines)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	r.settle(lines, err)
	if r.missed.lines > 0 || len(r.waiting) > 0 {
		r.stir()
	}
}

// take returns the lines that are to be written now.
func (r *Ring) take(now time.Time, full, last bool) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dirty = false
	if r.closed {
		return nil
	}
	r.tellMissed(now, last)
	if full {
		return nil
	}
	lines := r.waiting
	r.waiting, r.spare = r.spare, nil
	return lines
}

// settle frees the room of lines that were written. Of those that could not be, a
// reader finds the gap in the numbers of lines.
func (r *Ring) settle(lines []byte, err error) {
	r.holds -= len(lines)
	r.folder.holds.Add(-int64(len(lines)))
	if err != nil {
		r.folder.failed(r.name, err)
	}
	if lines != nil && cap(lines) <= keptRoom {
		r.spare = lines[:0]
	}
}

// close ends the ring and whoever follows it.
func (r *Ring) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	r.folder.holds.Add(-int64(r.holds))
	r.waiting, r.spare, r.holds = nil, nil, 0
	for _, f := range r.follow {
		f.signal()
	}
}

// leave ends what Follow began.
func (r *Ring) leave(f *Follower) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.follow = slices.DeleteFunc(r.follow, func(other *Follower) bool { return other == f })
}
