package badger

import (
	"encoding/binary"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// committer is the one goroutine that decides. It takes requests in order,
// certifies each against all that was decided before, gathers the writes of
// the accepted ones into a group, makes the group durable in one Badger
// transaction, publishes its revision and only then answers.
type committer struct {
	store     *Store
	window    *window
	usage     map[store.Space]store.Usage // after the group being built
	dropped   map[store.Space]bool
	revision  store.Revision // of the latest accepted request
	published store.Revision // of the latest durable group
	group     group
	next      []state // scratch: states after the request being applied
}

// group is what one Badger transaction will write.
type group struct {
	decided []*request // to answer, rejected ones too
	taken   int        // how many of them were accepted
	dirty   []*item
	spaces  map[store.Space]struct{} // whose usage record to write
	other   map[string][]byte        // further entries; nil = delete
	drops   []store.Space            // spaces to hide from later snapshots
	entries int64
	bytes   int64
}

// usageEntry bounds what a usage record takes in a batch.
const usageEntry = prefixSize + 16 + entryOverhead

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
	g := &c.group
	if g.entries+r.entries+usageEntries > c.store.maxEntries || g.bytes+r.bytes+usageEntry > c.store.maxBytes {
		c.flush()
	}
	g.decided = append(g.decided, r)
	if r.err = c.apply(r); r.err != nil {
		return
	}
	g.taken++
	g.entries += r.entries + usageEntries
	g.bytes += r.bytes + usageEntry
}

// usageEntries is how many entries a request adds beside its writes.
const usageEntries = 2

// apply certifies r and takes its writes into the group, or returns why not and
// changes nothing.
func (c *committer) apply(r *request) error {
	if err := c.store.failure(); err != nil {
		return err
	}
	if err := c.store.guard.admit(r.shrinks, r.bytes); err != nil {
		return err
	}
	switch r.kind {
	case dropSpace:
		c.drop(r)
		return nil
	case closeDropped:
		c.accept(r)
		c.group.other[string(spaceKey(kindDropped, r.space, nil))] = []byte{swept}
		return nil
	case sweepDropped:
		return c.sweepDropped(r)
	case sweepExpired:
		return c.sweepExpired(r)
	}
	return c.commit(r)
}

func (c *committer) accept(r *request) {
	c.revision++
	r.revision = c.revision
}

func (c *committer) drop(r *request) {
	c.accept(r)
	if c.dropped[r.space] {
		return
	}
	c.dropped[r.space] = true
	delete(c.usage, r.space)
	g := &c.group
	g.other[string(spaceKey(kindDropped, r.space, nil))] = []byte{stillSweeping}
	g.other[string(spaceKey(kindUsage, r.space, nil))] = nil
	delete(g.spaces, r.space)
	g.drops = append(g.drops, r.space)
}

// commit decides about the effects of a transaction.
func (c *committer) commit(r *request) error {
	e := r.effects
	switch {
	case c.dropped[r.space]:
		return fault.New(fault.NotFound, "commit", "the key space has been deleted; nothing was done")
	case e.Read > c.published:
		return fault.New(fault.Invalid, "commit", fmt.Sprintf("the effects read revision %d, the store is at %d", e.Read, c.published))
	}
	if conflict := c.window.writtenSince(e); conflict != nil {
		return conflict.Fault()
	}
	delta, err := c.plan(r)
	if err != nil {
		return err
	}
	usage := c.usage[r.space]
	usage.Keys += delta.Keys
	usage.Bytes += delta.Bytes
	if err := checkQuota(e.Quota, usage, delta); err != nil {
		return err
	}
	c.accept(r)
	c.setUsage(r.space, usage)
	for i := range r.writes {
		c.write(r, &r.writes[i], c.next[i])
	}
	return nil
}

func (c *committer) setUsage(space store.Space, u store.Usage) {
	c.usage[space] = u
	c.group.spaces[space] = struct{}{}
}

// plan works out the state after each write of r, and what that changes in the
// space's usage.
func (c *committer) plan(r *request) (delta store.Usage, err error) {
	c.next = c.next[:0]
	now := r.effects.Now.UnixMilli()
	for i := range r.writes {
		w := &r.writes[i]
		if err := c.refresh(r, w); err != nil {
			return delta, err
		}
		next := w.next
		if w.kind == store.OpAdd {
			if next, err = sum(w, now); err != nil {
				return delta, err
			}
		}
		c.next = append(c.next, next)
		count(&delta, w, next)
	}
	return delta, nil
}

// count adds to delta what it changes that w leaves next.
func count(delta *store.Usage, w *write, next state) {
	if w.prior.exists {
		delta.Keys--
		delta.Bytes -= int64(len(w.key)) + w.prior.size
	}
	if next.exists {
		delta.Keys++
		delta.Bytes += int64(len(w.key)) + next.size
	}
}

// refresh makes w.prior the present state of the key, the group being built
// included.
func (c *committer) refresh(r *request, w *write) (err error) {
	if it := c.window.find(w.space, w.key); it != nil {
		w.prior = it.state
		return nil
	}
	if r.seen >= c.window.horizon {
		return nil // not written since w.prior was read
	}
	txn := c.store.db.NewTransactionAt(uint64(c.published), false)
	defer txn.Discard()
	w.prior, err = readState(txn, w.dataKey)
	return c.store.checked(err)
}

// sum is the state of a counter after an add.
func sum(w *write, now int64) (state, error) {
	next := state{exists: true, size: 8, isCount: true}
	if w.prior.exists && (w.prior.expires == 0 || w.prior.expires > now) {
		if !w.prior.isCount {
			return state{}, store.NotCounter(w.key)
		}
		next.counter, next.expires = w.prior.counter, w.prior.expires
	}
	n, ok := store.AddCounter(next.counter, w.delta)
	if !ok {
		return state{}, store.Overflow(w.key)
	}
	next.counter = n
	return next, nil
}

// checkQuota refuses growth over the quota. A space that is over it already,
// because the quota was lowered, may still shrink.
func checkQuota(q store.Quota, u, delta store.Usage) error {
	if q.Keys > 0 && u.Keys > q.Keys && delta.Keys > 0 {
		return fault.New(fault.Exhausted, "commit", fmt.Sprintf("the key space would hold %d keys, its quota is %d; delete keys or ask the operator for more", u.Keys, q.Keys))
	}
	if q.Bytes > 0 && u.Bytes > q.Bytes && delta.Bytes > 0 {
		return fault.New(fault.Exhausted, "commit", fmt.Sprintf("the key space would hold %d bytes, its quota is %d; delete keys or ask the operator for more", u.Bytes, q.Bytes))
	}
	return nil
}

// write takes one accepted write into the window and the group.
func (c *committer) write(r *request, w *write, next state) {
	if !w.prior.exists && !next.exists {
		return // deleting what is not there changes nothing
	}
	it := c.window.write(w.space, w.key, r.revision, next)
	it.record, it.tail = w.record, w.tail
	it.dropTail = it.dropTail || w.prior.hasTail()
	if !it.dirty {
		it.dirty = true
		c.group.dirty = append(c.group.dirty, it)
	}
	c.index(w.space, it.key, w.prior, next)
}

// index moves a key's entry in the expiry index.
func (c *committer) index(space store.Space, key string, prior, next state) {
	if prior.expires == next.expires {
		return
	}
	if prior.expires != 0 {
		c.group.other[string(expiryKey(prior.expires, space, key))] = nil
	}
	if next.expires != 0 {
		c.group.other[string(expiryKey(next.expires, space, key))] = []byte(key)
	}
}

// sweepExpired deletes those keys of r that still expire when they did as the
// sweep found them; what was set meanwhile stays. Index entries go either way.
func (c *committer) sweepExpired(r *request) error {
	if err := c.refreshAll(r); err != nil {
		return err
	}
	c.accept(r)
	usage := c.usage[r.space]
	for i := range r.writes {
		w := &r.writes[i]
		if w.prior.expires != w.expires {
			c.group.other[string(expiryKey(w.expires, w.space, string(w.key)))] = nil
			continue
		}
		count(&usage, w, state{})
		c.write(r, w, state{})
	}
	if !c.dropped[r.space] {
		c.setUsage(r.space, usage)
	}
	return nil
}

func (c *committer) refreshAll(r *request) error {
	for i := range r.writes {
		if err := c.refresh(r, &r.writes[i]); err != nil {
			return err
		}
	}
	return nil
}

func (c *committer) sweepDropped(r *request) error {
	if err := c.refreshAll(r); err != nil {
		return err
	}
	c.accept(r)
	for i := range r.writes {
		c.write(r, &r.writes[i], state{})
	}
	return nil
}

// flush makes the group durable, publishes it and answers everyone.
func (c *committer) flush() {
	g := &c.group
	if g.taken > 0 {
		if err := c.persist(); err != nil {
			c.fail(err)
		} else {
			c.publish()
		}
	}
	for i, r := range g.decided {
		g.decided[i] = nil
		r.done <- struct{}{}
	}
	g.decided = g.decided[:0]
	g.taken, g.entries, g.bytes = 0, 0, 0
	clear(g.dirty)
	g.dirty = g.dirty[:0]
	g.drops = g.drops[:0]
	clear(g.spaces)
	clear(g.other)
}

// persist writes the group as one Badger transaction. Its revision is that of
// the last member, so that no snapshot lies within it.
func (c *committer) persist() error {
	txn := c.store.db.NewTransactionAt(uint64(c.published), true)
	defer txn.Discard()
	if err := c.fill(txn); err != nil {
		return err
	}
	return c.store.write(txn, uint64(c.revision))
}

func (c *committer) fill(txn *badger.Txn) error {
	g := &c.group
	for _, it := range g.dirty {
		if err := it.put(txn); err != nil {
			return err
		}
	}
	if err := txn.Set(revisionKey, binary.LittleEndian.AppendUint64(nil, uint64(c.published))); err != nil {
		return err
	}
	for space := range g.spaces {
		if err := txn.Set(spaceKey(kindUsage, space, nil), encodeUsage(c.usage[space])); err != nil {
			return err
		}
	}
	for key, value := range g.other {
		if err := put(txn, []byte(key), value); err != nil {
			return err
		}
	}
	return nil
}

// put writes the item as the group leaves it, and makes it clean.
func (it *item) put(txn *badger.Txn) error {
	record, tail, dropTail := it.record, it.tail, it.dropTail
	it.dirty, it.record, it.tail, it.dropTail = false, nil, nil, false
	key := spaceKey(kindData, it.space.id, []byte(it.key))
	if it.state.exists && record == nil {
		record, _ = encodeRecord(store.Value{Data: store.AppendCounter(nil, it.state.counter), Expires: it.state.expires})
	}
	if tail != nil || dropTail {
		if err := put(txn, tailKey(key), tail); err != nil {
			return err
		}
	}
	return put(txn, key, record)
}

// put sets key to value, or deletes it when value is nil.
func put(txn *badger.Txn, key, value []byte) error {
	if value == nil {
		return txn.Delete(key)
	}
	return txn.Set(key, value)
}

// publish lets readers see the group.
func (c *committer) publish() {
	c.published = c.revision
	s := c.store
	if err := s.watermark.set(c.published); err != nil {
		s.setFailure(err) // what is acknowledged is on disk; nothing further is
	}
	s.noteUsage(c.group.spaces, c.usage)
	s.hide(c.group.drops, c.published)
	s.db.SetDiscardTs(uint64(s.epochs.publish(c.published)))
	c.window.evict(c.published)
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

// newCommitter continues at revision.
func newCommitter(s *Store, cfg Config, revision store.Revision) *committer {
	return &committer{
		store:     s,
		window:    newWindow(cfg.WindowKeys, cfg.WindowBytes, revision),
		usage:     make(map[store.Space]store.Usage),
		dropped:   make(map[store.Space]bool),
		revision:  revision,
		published: revision,
		group: group{
			spaces: make(map[store.Space]struct{}),
			other:  make(map[string][]byte),
		},
	}
}
