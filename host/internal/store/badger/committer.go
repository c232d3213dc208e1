package badger

import (
	"sync"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/fair"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/layout"
	"github.com/wasmoor/wasmoor/host/internal/store/certify"
)

// committer decides about commits and writes them. Whoever brings a request has
// it decided under mu: it is certified against all that was decided before, and
// what it writes is sealed into the open group. One goroutine takes the open
// group, makes it durable in one Badger transaction, publishes its revision and
// answers its members, and then takes the next, which was sealed meanwhile.
//
// Whether the disk takes more is asked before a request is certified: the
// decision itself rests on the log alone, not on how requests fall into groups.
type committer struct {
	store *Store
	wake  chan struct{} // has one for the writer when there may be something to write

	mu        sync.Mutex
	log       *certify.Log
	published store.Revision         // of the latest durable group
	flight    *group                 // that is being written, nil = none
	open      *group                 // that takes what is decided
	backlog   fair.Backlog[*request] // what waits for a later group
	lately    map[store.Space]int64  // the shares of the last group
	closed    bool
	tap       *Tap // what takes each group that is published, nil = nothing
	decided   int  // how many requests were, for tests
}

// newCommitter continues a log.
func newCommitter(s *Store, log *certify.Log) *committer {
	return &committer{
		store: s, log: log, published: log.Revision(),
		wake: make(chan struct{}, 1), open: newGroup(),
	}
}

// submit has r decided. If that takes r in, r.settling is the group that its
// writes are in; else r.err is why not, and r.settling holds what the refusal may
// rest on.
func (c *committer) submit(r *request) {
	c.mu.Lock()
	switch {
	case c.closed:
		r.err = errClosed
		c.mu.Unlock()
	case c.backlog.Waits(r.Owner()) || !c.open.hasShare(r) || !c.open.hasRoom(c.store, r):
		c.backlog.Add(r)
		c.mu.Unlock()
		c.signal()
		<-r.done
	default:
		c.admit(r)
		c.mu.Unlock()
		c.signal()
	}
}

// signal has the writer look.
func (c *committer) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// close refuses further requests; those that were brought are still decided.
func (c *committer) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.signal()
}

// admit decides about r. The caller holds mu.
func (c *committer) admit(r *request) {
	c.decided++
	if r.err = c.decide(r); r.err != nil {
		r.settling = c.newest()
		c.store.Refused(fault.CodeOf(r.err) == fault.Conflict)
		return
	}
	c.open.take(r)
	r.settling = c.open.settling
}

// newest returns the newest group with members that are not durable, nil if all
// are. The caller holds mu.
func (c *committer) newest() *store.Settling {
	switch {
	case c.open.taken > 0:
		return c.open.settling
	case c.flight != nil:
		return c.flight.settling
	}
	return nil
}

// decide certifies r and seals its writes into the open group, or returns why
// not and changes nothing. The caller holds mu.
func (c *committer) decide(r *request) error {
	if err := c.store.failure(); err != nil {
		return err
	}
	if err := c.store.guard.Admit(r.shrinks, r.bytes); err != nil {
		return err
	}
	if err := c.refresh(r); err != nil {
		return err
	}
	if err := c.stamp(r); err != nil {
		return err
	}
	known := c.log.Dropped(r.entry.Space)
	if err := c.log.Decide(&r.entry); err != nil {
		if fault.CodeOf(err) == fault.Exhausted { // what has expired counts until it is swept
			c.store.janitor.full.Store(true)
		}
		return err
	}
	switch r.entry.Kind {
	case certify.Drop:
		if !known {
			c.open.drop(r.entry.Space)
		}
	case certify.CloseDropped:
		c.open.note(layout.Key(layout.KindDropped, r.entry.Space, nil), []byte{layout.Swept})
	default:
		c.open.write(r, c.log)
	}
	return nil
}

// refresh reads again what was written since r read it and is forgotten. That is
// rare: only where r was read before all that the window remembers.
func (c *committer) refresh(r *request) error {
	fresh := true
	for i := range r.entry.Writes {
		w := &r.entry.Writes[i]
		if !c.log.Stale(&r.entry, w) {
			continue
		}
		txn := c.store.db.NewTransactionAt(uint64(c.published), false)
		prior, err := readState(txn, r.encoded[i].dataKey)
		txn.Discard()
		if err != nil {
			return c.store.checked(err)
		}
		w.Prior, fresh = prior, false
	}
	if !fresh {
		r.entry.Seen = c.published
	}
	return nil
}

// run writes groups until the committer is closed and all is written.
func (c *committer) run() {
	defer close(c.store.committed)
	for g := c.next(); g != nil; g = c.next() {
		c.store.Begin()
		err := c.persist(g)
		c.store.mapped.Advise()
		c.store.End(g.taken, err)
		if err != nil {
			c.fail(g, err)
		} else {
			c.publish(g)
		}
	}
}

// next waits for a group to write, and opens another; nil once there will be none.
func (c *committer) next() *group {
	for {
		c.mu.Lock()
		c.refill()
		if err := c.store.failure(); err != nil {
			c.refuse(err)
		}
		if g := c.open; g.taken > 0 {
			g.close(c.log)
			c.flight, c.open, c.lately = g, newGroup(), g.shares
			c.mu.Unlock()
			return g
		}
		waits, closed := !c.backlog.Empty(), c.closed
		c.mu.Unlock()
		switch {
		case waits:
			select {
			case <-c.wake:
			case <-time.After(breath):
			}
		case closed:
			return nil
		default:
			<-c.wake
		}
	}
}

// breath is how long a turn of the backlog takes in which nobody has anything to
// write: others come back a moment after their answers left.
const breath = time.Millisecond

// refill decides what waits for the open group: one turn for each key space, or, if
// no others are about, as many as it takes until there is something to write. The
// caller holds mu.
func (c *committer) refill() {
	hasRoom := func(r *request) bool { return c.open.hasRoom(c.store, r) }
	admit := func(r *request) {
		c.admit(r)
		r.done <- struct{}{}
	}
	c.backlog.Next(hasRoom, admit)
	for c.open.taken == 0 && !c.backlog.Empty() && !c.others() {
		c.backlog.Next(hasRoom, admit)
	}
}

// others reports whether key spaces were in the last group that wait for nothing
// now. The caller holds mu.
func (c *committer) others() bool {
	for space := range c.lately {
		if !c.backlog.Waits(space) {
			return true
		}
	}
	return false
}

// persist writes a group as one Badger transaction. Its revision is that of the
// last member, so that no snapshot on disk lies within it.
func (c *committer) persist(g *group) error {
	txn := c.store.db.NewTransactionAt(uint64(c.published), true)
	defer txn.Discard()
	if err := g.each(c.published, func(key, value []byte) error { return put(txn, key, value) }); err != nil {
		return err
	}
	write := func() error { return txn.CommitAt(uint64(g.revision), nil) }
	if c.store.persist == nil {
		return write()
	}
	return c.store.persist(g.revision, write)
}

// publish lets readers see a group, and then answers its members.
func (c *committer) publish(g *group) {
	s := c.store
	if err := s.watermark.Set(g.revision); err != nil {
		s.setFailure(err) // what is acknowledged is on disk; nothing further is
	}
	s.noteUsage(g.usage)
	s.hide(g.drops, g.revision)
	g.keep(s.pages)
	c.mu.Lock()
	oldest := s.epochs.Publish(g.revision)
	before, tap := c.published, c.tap
	c.published, c.flight = g.revision, nil
	c.log.Release(g.revision)
	c.mu.Unlock()
	tap.take(g, before)
	s.db.SetDiscardTs(uint64(oldest))
	if s.watches.Any() {
		s.watches.Publish(store.Group{Revision: g.revision, Changed: g.changed, Dropped: g.drops, Size: g.bytes})
	}
	g.settling.Settle(nil, nil)
}

// fail tells the members of a group that the outcome is unknown. From here on
// memory and disk may differ, so that nothing is accepted until the store is
// opened again.
func (c *committer) fail(g *group, cause error) {
	c.store.setFailure(cause)
	refused := c.store.failure()
	c.mu.Lock()
	c.flight = nil
	c.refuse(refused)
	c.mu.Unlock()
	unknown := fault.Wrap(fault.Unknown, "commit", "writing to disk failed: whether the effects are durable is unknown", cause)
	g.settling.Settle(unknown, refused)
}

// refuse answers the members of the open group, which is never written, that
// nothing was done. The caller holds mu.
func (c *committer) refuse(err error) {
	g := c.open
	c.open = newGroup()
	g.settling.Settle(err, err)
}
