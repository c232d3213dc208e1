// Package certify decides about commits. A decision is a function of the
// entries decided so far and of nothing else: there is no disk, no clock and no
// goroutine here, so that every copy of a log decides alike. Store engines
// import it.
package certify

import (
	"fmt"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Horizon is for how long writes are remembered at least, in the time that the
// commits themselves record (store.Effects.Now).
const Horizon = 30 * time.Second

// Bounds limit the memory of single writes. Those older than Horizon are remembered
// up to a quarter of it. Younger ones over it fade: what stays is roughly where they
// are, in at most 32 MiB.
type Bounds struct {
	Keys  int
	Bytes int // of keys and what is noted about them
}

// Kind says what an entry does.
type Kind uint8

// The kinds of entry.
const (
	Commit       Kind = iota // the effects of a transaction
	Drop                     // tombstones a space
	SweepExpired             // deletes keys that still expire when they did as they were found
	SweepDropped             // deletes keys of a dropped space
	CloseDropped             // notes that a dropped space is empty
)

// Entry is one entry of the log.
type Entry struct {
	Kind    Kind
	Space   store.Space    // what a Drop is about, or a sweep, one of Account where keys expire; of a Commit the first
	Effects *store.Effects // of a Commit
	Writes  []Write        // those of all parts of Effects, or of a sweep
	Seen    store.Revision // what Write.Prior was read at

	Revision store.Revision // set by Decide
}

// Write is one write of an entry.
type Write struct {
	Kind    store.OpKind
	Space   store.Space
	Key     []byte
	Delta   int64       // of an add
	Expires int64       // of a SweepExpired: what Prior.Expires must still be
	Stamped bool        // the revision that the entry gets is in Key
	Prior   store.State // as of Entry.Seen; Decide makes it the state before the entry
	Next    store.State // of a set; Decide makes it the state after the entry
}

// Log is the state that the entries so far leave. Not safe for concurrent use.
type Log struct {
	window   *window
	usage    map[store.Space]store.Usage
	dropped  map[store.Space]bool
	revision store.Revision
	changes  []change // scratch
}

// New returns the log of a store at a revision, with what its spaces hold and
// those that are dropped; it keeps both maps. What came before is forgotten.
func New(revision store.Revision, usage map[store.Space]store.Usage, dropped map[store.Space]bool, b Bounds) *Log {
	return &Log{window: newWindow(b, revision), usage: usage, dropped: dropped, revision: revision}
}

// Revision returns that of the last entry.
func (l *Log) Revision() store.Revision { return l.revision }

// Usage returns what a space holds.
func (l *Log) Usage(space store.Space) store.Usage { return l.usage[space] }

// Next returns the revision that the next entry gets: that of Stamped keys.
func (l *Log) Next() store.Revision { return l.revision + 1 }

// Dropped reports whether a space is dropped.
func (l *Log) Dropped(space store.Space) bool { return l.dropped[space] }

// Release lets the log give up the memory of writes that can be read again at
// revision. It changes no decision.
func (l *Log) Release(revision store.Revision) { l.window.release(revision) }

// Stale reports whether w may have been written between e.Seen and what the log
// remembers. If so, w.Prior and e.Seen must be read again at a revision that was
// given to Release, or a later one, before Decide is called.
func (l *Log) Stale(e *Entry, w *Write) bool {
	return e.Seen < l.window.released && l.window.find(w.Space, w.Key) == nil
}

// Decide takes e into the log and sets its revision, or returns why not and
// changes nothing but the writes of e. Errors by fault code are those of
// store.Store's Commit: Conflict, Exhausted, Invalid, NotFound.
func (l *Log) Decide(e *Entry) error {
	l.resolve(e)
	switch e.Kind {
	case Commit:
		if err := l.commit(e); err != nil {
			return err
		}
	case Drop:
		l.dropped[e.Space] = true
		delete(l.usage, e.Space)
		delete(l.usage, e.Space.In(store.AreaQueue))
	case SweepExpired:
		l.sweepExpired(e)
	case SweepDropped:
		for i := range e.Writes {
			e.Writes[i].Next = store.State{}
		}
	}
	l.revision++
	e.Revision = l.revision
	for i := range e.Writes {
		if w := &e.Writes[i]; e.Changes(w) {
			l.window.write(w.Space, w.Key, e.Revision, w.Next)
		}
	}
	l.window.forget()
	return nil
}

// resolve makes the priors those of the log, where it knows better.
func (l *Log) resolve(e *Entry) {
	for i := range e.Writes {
		w := &e.Writes[i]
		if it := l.window.find(w.Space, w.Key); it != nil {
			w.Prior = it.state
		}
	}
}

// Changes reports whether a decided write leaves something else than was there.
// A delete of what is not there does not, nor does a sweep of what was set
// meanwhile.
func (e *Entry) Changes(w *Write) bool {
	if e.Kind == SweepExpired && w.Prior.Expires != w.Expires {
		return false
	}
	return w.Prior.Exists || w.Next.Exists
}

func (l *Log) commit(e *Entry) error {
	effects := e.Effects
	for i := range effects.Parts {
		if l.dropped[effects.Parts[i].Space.Owner()] {
			return fault.New(fault.NotFound, "commit", "the key space has been deleted; nothing was done")
		}
	}
	if effects.Read > l.revision {
		return fault.New(fault.Invalid, "commit", fmt.Sprintf("the effects read revision %d, the store is at %d", effects.Read, l.revision))
	}
	if conflict := l.window.writtenSince(effects); conflict != nil {
		return conflict.Fault()
	}
	if err := distinct(e); err != nil {
		return err
	}
	if err := l.plan(e); err != nil {
		return err
	}
	if err := l.checkQuotas(effects); err != nil {
		return err
	}
	for _, c := range l.changes {
		l.usage[c.space] = add(l.usage[c.space], c.by)
	}
	l.window.passed(effects.Now.UnixMilli())
	return nil
}

// sweepExpired deletes what still expires when it did; what was set meanwhile
// stays.
func (l *Log) sweepExpired(e *Entry) {
	usage := l.usage[e.Space]
	for i := range e.Writes {
		w := &e.Writes[i]
		w.Next = store.State{}
		if !e.Changes(w) {
			w.Next = w.Prior
		}
		w.count(&usage)
	}
	if !l.dropped[e.Space.Owner()] {
		l.usage[e.Space] = usage
	}
}
