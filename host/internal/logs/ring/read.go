package ring

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"slices"
	"time"
)

// Query selects lines of a ring. The zero Query selects all of info and above. Level,
// RequestID and Version do not leave out the notes about dropped lines.
type Query struct {
	After     Cursor     // only later lines
	Level     slog.Level // only lines of the level or above
	RequestID string     // only lines of the request; "" = of all, and of none
	Version   int        // only lines of the version; 0 = of all, and of none
	Since     time.Time  // only lines of then or later; zero = all
	Until     time.Time  // only lines of then or earlier; zero = all
	Tail      int        // only the last so many; 0 = all

	seen time.Time // when the line at After was logged; zero = it is not known
}

func (q *Query) selects(l *Line) bool {
	switch {
	case !q.Since.IsZero() && l.Time.Before(q.Since), !q.Until.IsZero() && l.Time.After(q.Until):
		return false
	case l.Dropped > 0:
		return true
	}
	return l.Level >= q.Level && (q.RequestID == "" || q.RequestID == l.RequestID) && (q.Version == 0 || q.Version == l.Version)
}

// Page is what a query found.
type Page struct {
	Lines  []Line    // in the order they were logged
	End    Cursor    // of the last line that was looked at
	Oldest time.Time // of all lines that the ring has; zero = it has none

	seen time.Time // when the line at End was logged
}

// Read returns the lines that are selected. The error is that of the ring's files.
func (r *Ring) Read(q Query) (Page, error) {
	q.After = r.known(q.After)
	return r.read(&q, nil)
}

// known returns a cursor, the zero Cursor for one of a line that is yet to come: it is
// of another folder, or of a plugin of the same name that was purged.
func (r *Ring) known(c Cursor) Cursor {
	r.mu.Lock()
	defer r.mu.Unlock()
	if end := (Cursor{r.folder.run, r.n}); end.before(c) {
		return Cursor{}
	}
	return c
}

// read is Read, after which the queue of f has the lines after them.
func (r *Ring) read(q *Query, f *Follower) (Page, error) {
	parts, err := r.parts(f)
	if err != nil {
		return Page{}, err
	}
	s := scan{q: q, last: q.After, seen: q.seen}
	for _, part := range parts {
		s.part(part)
	}
	if q.Tail > 0 && len(s.page.Lines) > q.Tail {
		s.page.Lines = slices.Clone(s.page.Lines[len(s.page.Lines)-q.Tail:])
	}
	s.page.End, s.page.seen = s.last, s.seen
	return s.page, nil
}

// parts returns all lines as they are kept, in order.
func (r *Ring) parts(f *Follower) (parts [3][]byte, err error) {
	r.files.Lock()
	defer r.files.Unlock()
	for i, name := range []string{previousFile, currentFile} {
		parts[i], err = r.segments.read(name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errNoSegment) {
			return parts, err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	parts[2] = slices.Clone(r.waiting)
	if f != nil {
		f.queue, f.behind = f.queue[:0], false
	}
	return parts, nil
}

// scan reads lines in order.
type scan struct {
	q    *Query
	last Cursor
	seen time.Time // when the line at last was logged
	page Page
}

func (s *scan) part(b []byte) {
	for len(b) > 0 {
		body, rest, ok := cut(b)
		if !ok {
			return
		}
		b = rest
		if l, ok := decode(body); ok {
			s.line(&l)
		}
	}
}

func (s *scan) line(l *Line) {
	if s.page.Oldest.IsZero() {
		s.page.Oldest = l.Time
	}
	if !s.last.before(l.Cursor) {
		return
	}
	if s.last != (Cursor{}) {
		s.gap(l)
	}
	s.last, s.seen = l.Cursor, l.Time
	if s.q.selects(l) {
		s.page.Lines = append(s.page.Lines, *l)
	}
}

// gap tells of lines between the last one and l that are not in the ring any more.
// Of those of another process that were not written nobody knows.
func (s *scan) gap(l *Line) {
	before := l.Cursor.n - min(l.numbers(), l.Cursor.n) // the number of the line before it
	missing := before
	if l.Cursor.run == s.last.run {
		missing -= min(s.last.n, before)
	}
	if missing > 0 {
		s.page.Lines = append(s.page.Lines, Line{
			Cursor: Cursor{l.Cursor.run, before}, Time: l.Time, From: s.seen, Dropped: int64(min(missing, math.MaxInt32)),
		})
	}
}

// MaxFollowers is how many may follow rings of a folder at a time.
const MaxFollowers = 32

// ErrFollowers says that as many follow as may.
var ErrFollowers = errors.New("too many follow logs")

// maxQueue is how many bytes of lines wait for a follower. One that is further behind
// reads the ring again.
const maxQueue = 256 << 10

// Follower reads the lines of a ring as they come. It belongs to one goroutine. Close
// it.
type Follower struct {
	ring  *Ring
	query Query
	wake  chan struct{}

	queue  []byte // of lines that it has not read; guarded by the ring's mu, as is behind
	behind bool   // lines that are not in queue have to be read from the ring
	spare  []byte
}

// Follow returns what reads the lines that are selected, first those that the ring
// has. Errors: ErrFollowers.
func (r *Ring) Follow(q Query) (*Follower, error) {
	if !r.folder.admit(1) {
		return nil, ErrFollowers
	}
	q.After = r.known(q.After)
	f := &Follower{ring: r, query: q, wake: make(chan struct{}, 1), behind: true}
	f.signal()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.follow = append(r.follow, f)
	return f, nil
}

func (f *Folder) admit(more int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.followers+more > MaxFollowers {
		return false
	}
	f.followers += more
	return true
}

// Close ends what Follow began.
func (f *Follower) Close() {
	f.ring.leave(f)
	f.ring.folder.admit(-1)
}

func (f *Follower) signal() { signal(f.wake) }

// offer adds a line to the queue. The caller holds the ring's mu.
func (f *Follower) offer(line []byte) {
	switch {
	case f.behind:
	case len(f.queue)+len(line) > maxQueue:
		f.queue, f.behind = f.queue[:0], true
	default:
		f.queue = append(f.queue, line...)
	}
	f.signal()
}

// Next waits for lines that are selected and returns them, in the order they were
// logged, none twice. Lines that were dropped before they were read are told of.
// Errors: that of ctx; io.EOF once the plugin is purged or the folder closed; that of
// the ring's files.
func (f *Follower) Next(ctx context.Context) ([]Line, error) {
	for {
		select {
		case <-f.wake:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		page, ended, err := f.read()
		if err != nil {
			return nil, err
		}
		f.query.After, f.query.seen, f.query.Tail = page.End, page.seen, 0
		if ended {
			f.signal() // for the next call
		}
		if len(page.Lines) > 0 {
			return page.Lines, nil
		}
		if ended {
			return nil, io.EOF
		}
	}
}

// read returns what came since the last time. ended says that no more will.
func (f *Follower) read() (page Page, ended bool, err error) {
	f.ring.mu.Lock()
	queue, behind, ended := f.queue, f.behind, f.ring.closed
	f.queue, f.spare = f.spare[:0], nil
	f.ring.mu.Unlock()
	if behind {
		page, err = f.ring.read(&f.query, f)
	} else {
		s := scan{q: &f.query, last: f.query.After, seen: f.query.seen}
		s.part(queue)
		page = s.page
		page.End, page.seen = s.last, s.seen
	}
	f.spare = queue
	return page, ended, err
}
