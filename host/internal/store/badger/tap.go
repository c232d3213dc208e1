package badger

import (
	"context"
	"sync"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/damage"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/epochs"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/layout"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/reading"
	"github.com/wasmoor/wasmoor/host/internal/store/stream"
)

// Tap passes on each group that becomes durable. No commit waits for whoever takes
// them: over its bound the tap forgets them all and says so. Close it.
type Tap struct {
	store *Store
	most  int64
	from  store.Revision
	kept  *epochs.Hold
	wake  chan struct{}

	mu    sync.Mutex
	queue []tapped
	bytes int64
	lost  bool
	hand  time.Time // of the group that Next returned last, until its next call
}

type tapped struct {
	group  *group
	before store.Revision
	at     time.Time
}

// ErrLost is the error of a Tap that has missed groups.
var ErrLost = fault.New(fault.Exhausted, "ship commits", "more was committed than could be taken off")

// Tap takes off what is published from now on, up to most bytes until it is taken.
// What changes after its From stays readable by Changes until Release. A store has
// one tap; a new one takes the place of one before.
func (s *Store) Tap(most int64) *Tap {
	t := &Tap{store: s, most: most, wake: make(chan struct{}, 1)}
	s.committer.mu.Lock()
	defer s.committer.mu.Unlock()
	t.from = s.committer.published
	if t.kept, s.kept = s.kept, nil; t.kept == nil {
		t.kept = s.epochs.Hold(t.from)
	}
	s.committer.tap = t
	return t
}

// From is the revision after which the groups begin.
func (t *Tap) From() store.Revision { return t.from }

// Kept returns the revision after which Changes can read.
func (t *Tap) Kept() store.Revision { return t.kept.Revision() }

// Release lets go of what changed up to revision: it is where it has to be.
func (t *Tap) Release(revision store.Revision) { t.kept.Move(revision) }

// Hold keeps revision readable by Changes until release; nothing of what changed
// after it has been released yet.
func (t *Tap) Hold(revision store.Revision) (release func()) {
	return t.store.epochs.Hold(revision).Release
}

// Forget lets go of all.
func (t *Tap) Forget() { t.kept.Release() }

// Close ends the tap. The store goes on, and keeps what was not released for the
// next tap.
func (t *Tap) Close() {
	c := t.store.committer
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tap == t {
		c.tap = nil
	}
	if !t.kept.Released() {
		t.store.kept = t.kept
	}
}

// take adds a group. A nil tap takes none.
func (t *Tap) take(g *group, before store.Revision) {
	if t == nil {
		return
	}
	t.mu.Lock()
	if !t.lost {
		t.queue = append(t.queue, tapped{g, before, time.Now()})
		t.bytes += g.bytes
	}
	if t.bytes > t.most {
		t.queue, t.bytes, t.lost = nil, 0, true
	}
	t.mu.Unlock()
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// Next returns the next group, at the latest when ctx is done. Errors: ErrLost, and
// that of ctx.
func (t *Tap) Next(ctx context.Context) (stream.Group, error) {
	t.mu.Lock()
	t.hand = time.Time{}
	t.mu.Unlock()
	for {
		t.mu.Lock()
		if t.lost {
			t.mu.Unlock()
			return stream.Group{}, ErrLost
		}
		if len(t.queue) > 0 {
			next := t.queue[0]
			t.queue[0] = tapped{}
			t.queue = t.queue[1:]
			t.bytes -= next.group.bytes
			t.hand = next.at
			t.mu.Unlock()
			return next.stream(), nil
		}
		t.mu.Unlock()
		select {
		case <-t.wake:
		case <-ctx.Done():
			return stream.Group{}, ctx.Err()
		}
	}
}

// Oldest returns since when a group waits here, or is in the hand of whoever called
// Next and has not called it again; zero = none.
func (t *Tap) Oldest() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.hand.IsZero() && len(t.queue) > 0 {
		return t.queue[0].at
	}
	return t.hand
}

func (n tapped) stream() stream.Group {
	return stream.Group{Before: n.before, Revision: n.group.revision, Time: n.at, Entries: func(yield func(stream.Entry, error) bool) {
		_ = n.group.each(n.before, func(key, value []byte) error {
			if !yield(stream.Entry{Key: key, Value: value}, nil) {
				return context.Canceled // it goes no further
			}
			return nil
		})
	}}
}

// Changes returns what turns a store at revision since into one at revision until,
// as one group; since 0 is an empty store. Both are published, and a Tap keeps what
// changed after the lower one. The time is that of the call.
func (s *Store) Changes(since, until store.Revision) stream.Group {
	return stream.Group{Before: since, Revision: until, Time: s.clock(), Entries: func(yield func(stream.Entry, error) bool) {
		if !s.enter() {
			yield(stream.Entry{}, errClosed)
			return
		}
		defer s.leave()
		if err := s.changes(since, until, yield); err != nil {
			yield(stream.Entry{}, s.checked(err))
		}
	}}
}

func (s *Store) changes(since, until store.Revision, yield func(stream.Entry, error) bool) (err error) {
	txn := s.db.NewTransactionAt(uint64(until), false)
	defer txn.Discard()
	begun, yielding := damage.BeginRead(), false
	defer func() {
		if !yielding {
			damage.Caught(&err)
		}
	}()
	it := txn.NewIterator(badger.IteratorOptions{AllVersions: since > 0, SinceTs: uint64(since)})
	defer it.Close()
	var last []byte
	for it.Rewind(); it.Valid(); it.Next() {
		item := it.Item()
		if last != nil && string(item.Key()) == string(last) {
			continue // an older version
		}
		last = item.KeyCopy(last[:0])
		e := stream.Entry{Key: item.KeyCopy(nil)}
		if !item.IsDeletedOrExpired() {
			if e.Value, err = item.ValueCopy(nil); err != nil {
				return reading.Error(err)
			}
		}
		if err := begun.Failed(nil); err != nil {
			return err
		}
		if string(e.Key) == string(layout.RevisionKey) {
			continue // it names a commit that the other store does not have
		}
		yielding = true
		more := yield(e, nil)
		yielding = false
		if !more {
			return nil
		}
	}
	return begun.Failed(nil)
}
