package badger

import (
	"bytes"
	"cmp"
	"encoding/binary"

	"github.com/dgraph-io/badger/v4"
	"github.com/tidwall/btree"

	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/fair"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/layout"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/pages"
	"github.com/wasmoor/wasmoor/host/internal/store/certify"
)

// group is the content of one Badger transaction.
type group struct {
	settling *store.Settling
	revision store.Revision // of the last member, once there is one
	taken    int            // how many requests were accepted
	entries  int64
	bytes    int64
	shares   map[store.Space]int64 // of bytes, by who takes them

	pending *btree.BTreeG[*pending]     // by data key
	other   map[string][]byte           // further entries; a nil value = delete
	drops   []store.Space               // spaces to hide from later snapshots
	usage   map[store.Space]store.Usage // of the spaces whose usage record to write
}

// pending is the content that a group leaves at one key. It is never changed.
type pending struct {
	encoded
	state    store.State
	dropTail bool
}

func newGroup() *group {
	return &group{
		settling: store.NewSettling(),
		pending: btree.NewBTreeGOptions(func(a, b *pending) bool {
			return bytes.Compare(a.dataKey, b.dataKey) < 0
		}, btree.Options{NoLocks: true, Degree: 16}),
		usage:  make(map[store.Space]store.Usage),
		shares: make(map[store.Space]int64),
	}
}

// hasRoom reports whether r fits into a Badger batch with the others.
func (g *group) hasRoom(s *Store, r *request) bool {
	return g.entries+r.entries <= s.maxEntries && g.bytes+r.bytes <= s.maxBytes
}

// hasShare reports whether the owner of r has not taken its quantum yet.
func (g *group) hasShare(r *request) bool { return g.shares[r.Owner()]+r.bytes <= fair.Quantum }

// take counts an accepted request.
func (g *group) take(r *request) {
	g.shares[r.Owner()] += r.bytes
	g.revision = r.entry.Revision
	if e := r.entry.Effects; e != nil && e.Published != nil {
		published, revision := e.Published, g.revision
		g.settling.Then(func() { published(revision) })
	}
	g.taken++
	g.entries += r.entries
	g.bytes += r.bytes
}

// close notes what log counts, before it goes on.
func (g *group) close(log *certify.Log) {
	for space := range g.usage {
		g.usage[space] = log.Usage(space)
	}
}

// drop tombstones a space.
func (g *group) drop(space store.Space) {
	g.note(layout.Key(layout.KindDropped, space, nil), []byte{layout.StillSweeping})
	g.note(layout.Key(layout.KindUsage, space, nil), nil)
	delete(g.usage, space)
	g.note(layout.Key(layout.KindUsage, space.In(store.AreaQueue), nil), nil)
	delete(g.usage, space.In(store.AreaQueue))
	g.drops = append(g.drops, space)
}

// write takes the writes of an accepted request in, and notes whose usage they
// change.
func (g *group) write(r *request, log *certify.Log) {
	for i := range r.entry.Writes {
		w, enc := &r.entry.Writes[i], &r.encoded[i]
		if !log.Dropped(w.Space.Owner()) {
			g.usage[w.Space.Account()] = store.Usage{} // known once the group is closed
		}
		if r.entry.Kind == certify.SweepExpired && w.Prior.Expires != w.Expires {
			g.note(layout.ExpiryKey(w.Expires, w.Space, w.Key), nil) // it was set meanwhile
			continue
		}
		if r.entry.Changes(w) {
			g.put(w, enc)
		}
	}
}

// put takes one write in, over an earlier one to its key.
func (g *group) put(w *certify.Write, enc *encoded) {
	p := &pending{encoded: *enc, state: w.Next, dropTail: w.Prior.Exists && layout.IsLong(w.Prior.Size, w.Prior.Expires)}
	if p.state.Exists && p.record == nil { // a counter that was added to
		p.record, _ = layout.EncodeRecord(store.Value{Data: store.AppendCounter(nil, p.state.N), Expires: p.state.Expires})
	}
	if before, ok := g.pending.Get(p); ok {
		p.dropTail = p.dropTail || before.dropTail
	}
	g.pending.Set(p)
	g.move(w, p.dataKey[layout.PrefixSize:])
}

// move moves a key's entry in the expiry index.
func (g *group) move(w *certify.Write, key []byte) {
	if w.Prior.Expires == w.Next.Expires {
		return
	}
	if w.Prior.Expires != 0 {
		g.note(layout.ExpiryKey(w.Prior.Expires, w.Space, key), nil)
	}
	if w.Next.Expires != 0 {
		g.note(layout.ExpiryKey(w.Next.Expires, w.Space, key), key)
	}
}

// note has the group set or delete an entry that is no value.
func (g *group) note(key, value []byte) {
	if g.other == nil {
		g.other = make(map[string][]byte)
	}
	g.other[string(key)] = value
}

// changed passes each key that the group changes.
func (g *group) changed(yield func(store.Space, []byte) bool) {
	g.pending.Scan(func(p *pending) bool {
		return yield(layout.SpaceOf(p.dataKey), p.dataKey[layout.PrefixSize:])
	})
}

// keep has what the group changes among what is kept be as it leaves it.
func (g *group) keep(kept *pages.Pages) {
	g.pending.Scan(func(p *pending) bool {
		if space := layout.SpaceOf(p.dataKey); pages.Keeps(space) {
			v, ok, err := p.value()
			kept.Change(space, p.dataKey, g.revision, v, ok && err == nil)
		}
		return true
	})
}

// each passes what the group writes to Badger; published is the revision of the
// group before. A nil value deletes.
func (g *group) each(published store.Revision, yield func(key, value []byte) error) (err error) {
	g.pending.Scan(func(p *pending) bool {
		if p.tail != nil || p.dropTail {
			err = yield(layout.TailKey(p.dataKey), p.tail)
		}
		err = cmp.Or(err, yield(p.dataKey, p.record))
		return err == nil
	})
	if err != nil {
		return err
	}
	if err := yield(layout.RevisionKey, binary.LittleEndian.AppendUint64(nil, uint64(published))); err != nil {
		return err
	}
	for space, usage := range g.usage {
		if err := yield(layout.Key(layout.KindUsage, space, nil), layout.EncodeUsage(usage)); err != nil {
			return err
		}
	}
	for key, value := range g.other {
		if err := yield([]byte(key), value); err != nil {
			return err
		}
	}
	return nil
}

// put sets key to value, or deletes it when value is nil.
func put(txn *badger.Txn, key, value []byte) error {
	if value == nil {
		return txn.Delete(key)
	}
	return txn.Set(key, value)
}
