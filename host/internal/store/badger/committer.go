package badger

import (
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/layout"
	"github.com/wasmoor/wasmoor/host/internal/store/certify"
)

// committer is the one goroutine that writes. It takes requests in order, has
// each certified against all that was decided before, gathers the writes of the
// accepted ones into a group, makes the group durable in one Badger transaction,
// publishes its revision and only then answers.
//
// Whether the disk takes more is asked before a request is certified: the
// decision itself rests on the log alone, not on how requests fall into groups.
type committer struct {
	store     *Store
	log       *certify.Log
	published store.Revision // of the latest durable group
	group     group
}

// newCommitter continues a log.
func newCommitter(s *Store, log *certify.Log) *committer {
	return &committer{store: s, log: log, published: log.Revision(), group: newGroup()}
}

// run serves the queue until it is closed and empty.
func (c *committer) run() {
	defer close(c.store.committed)
	var batch []*request
	for {
		batch = c.store.queue.take(batch)
		if batch == nil {
			return
		}
		for i, r := range batch {
			batch[i] = nil
			c.admit(r)
		}
		c.flush()
	}
}

// admit decides about r, after writing the group when it has no room for r.
func (c *committer) admit(r *request) {
	if !c.group.hasRoom(c.store, r) {
		c.flush()
	}
	c.group.decided = append(c.group.decided, r)
	if r.err = c.decide(r); r.err == nil {
		c.group.take(r)
	}
}

// decide certifies r and takes its writes into the group, or returns why not
// and changes nothing.
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
	known := c.log.Dropped(r.entry.Space)
	if err := c.log.Decide(&r.entry); err != nil {
		return err
	}
	switch r.entry.Kind {
	case certify.Drop:
		if !known {
			c.group.drop(r.entry.Space)
		}
	case certify.CloseDropped:
		c.group.other[string(layout.Key(layout.KindDropped, r.entry.Space, nil))] = []byte{layout.Swept}
	default:
		c.group.write(r)
		c.noteSpaces(r)
	}
	return nil
}

// noteSpaces has the usage of what r wrote to written with the group.
func (c *committer) noteSpaces(r *request) {
	for i := range r.entry.Writes {
		space := r.entry.Writes[i].Space.Owner()
		if !c.log.Dropped(space) {
			c.group.spaces[space] = struct{}{}
		}
	}
}

// refresh reads again what was written since r read it and is forgotten.
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

// flush makes the group durable, publishes it and answers everyone.
func (c *committer) flush() {
	if c.group.taken > 0 {
		if err := c.persist(); err != nil {
			c.fail(err)
		} else {
			c.publish()
		}
	}
	for _, r := range c.group.decided {
		r.done <- struct{}{}
	}
	c.group.reset()
}

// persist writes the group as one Badger transaction. Its revision is that of
// the last member, so that no snapshot lies within it.
func (c *committer) persist() error {
	txn := c.store.db.NewTransactionAt(uint64(c.published), true)
	defer txn.Discard()
	if err := c.group.fill(txn, c.published, c.log); err != nil {
		return err
	}
	revision := c.log.Revision()
	if c.store.persist == nil {
		return txn.CommitAt(uint64(revision), nil)
	}
	return c.store.persist(revision, func() error { return txn.CommitAt(uint64(revision), nil) })
}

// publish lets readers see the group.
func (c *committer) publish() {
	c.published = c.log.Revision()
	s := c.store
	if err := s.watermark.Set(c.published); err != nil {
		s.setFailure(err) // what is acknowledged is on disk; nothing further is
	}
	s.noteUsage(c.group.spaces, c.log)
	s.hide(c.group.drops, c.published)
	s.db.SetDiscardTs(uint64(s.epochs.publish(c.published)))
	c.log.Release(c.published)
	if s.watches.Any() {
		s.watches.Publish(c.published, c.group.changed, c.group.drops)
	}
}

// fail answers everyone in the group that the outcome is unknown. From here on
// memory and disk may differ, so that nothing is accepted until the store is
// opened again.
func (c *committer) fail(cause error) {
	c.store.setFailure(cause)
	for _, r := range c.group.decided {
		if r.err == nil {
			r.err = fault.Wrap(fault.Unknown, "commit", "writing to disk failed: whether the effects are durable is unknown", cause)
		}
	}
}
