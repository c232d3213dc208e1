package badger

import (
	"encoding/binary"

	"github.com/dgraph-io/badger/v4"

	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/layout"
	"github.com/wasmoor/wasmoor/host/internal/store/certify"
)

// group is the content of one Badger transaction.
type group struct {
	decided []*request // to answer, rejected ones too
	taken   int        // how many of them were accepted
	pending []pending
	index   map[string]int           // of pending, by data key
	spaces  map[store.Space]struct{} // whose usage record to write
	other   map[string][]byte        // further entries; nil = delete
	drops   []store.Space            // spaces to hide from later snapshots
	entries int64
	bytes   int64
}

// pending is the content that a group leaves at one key.
type pending struct {
	encoded
	state    certify.State
	dropTail bool
}

func newGroup() group {
	return group{
		index:  make(map[string]int),
		spaces: make(map[store.Space]struct{}),
		other:  make(map[string][]byte),
	}
}

// hasRoom reports whether r fits into a Badger batch with the others.
func (g *group) hasRoom(s *Store, r *request) bool {
	return g.entries+r.entries <= s.maxEntries && g.bytes+r.bytes <= s.maxBytes
}

// take counts an accepted request.
func (g *group) take(r *request) {
	g.taken++
	g.entries += r.entries
	g.bytes += r.bytes
}

// reset empties the group and keeps its memory.
func (g *group) reset() {
	clear(g.decided)
	clear(g.pending)
	clear(g.index)
	clear(g.spaces)
	clear(g.other)
	g.decided, g.pending, g.drops = g.decided[:0], g.pending[:0], g.drops[:0]
	g.taken, g.entries, g.bytes = 0, 0, 0
}

// drop tombstones a space.
func (g *group) drop(space store.Space) {
	g.other[string(layout.Key(layout.KindDropped, space, nil))] = []byte{layout.StillSweeping}
	g.other[string(layout.Key(layout.KindUsage, space, nil))] = nil
	delete(g.spaces, space)
	g.drops = append(g.drops, space)
}

// write takes the writes of an accepted request in.
func (g *group) write(r *request) {
	for i := range r.entry.Writes {
		w := &r.entry.Writes[i]
		if r.entry.Kind == certify.SweepExpired && w.Prior.Expires != w.Expires {
			g.other[string(layout.ExpiryKey(w.Expires, w.Space, w.Key))] = nil // it was set meanwhile
			continue
		}
		if r.entry.Changes(w) {
			g.put(w, &r.encoded[i])
		}
	}
}

// put takes one write in, over an earlier one to its key.
func (g *group) put(w *certify.Write, enc *encoded) {
	i, ok := g.index[string(enc.dataKey)]
	if !ok {
		i = len(g.pending)
		g.index[string(enc.dataKey)] = i
		g.pending = append(g.pending, pending{})
	}
	dropTail := g.pending[i].dropTail || (w.Prior.Exists && layout.IsLong(w.Prior.Size, w.Prior.Expires))
	g.pending[i] = pending{encoded: *enc, state: w.Next, dropTail: dropTail}
	g.move(w)
}

// move moves a key's entry in the expiry index.
func (g *group) move(w *certify.Write) {
	if w.Prior.Expires == w.Next.Expires {
		return
	}
	if w.Prior.Expires != 0 {
		g.other[string(layout.ExpiryKey(w.Prior.Expires, w.Space, w.Key))] = nil
	}
	if w.Next.Expires != 0 {
		g.other[string(layout.ExpiryKey(w.Next.Expires, w.Space, w.Key))] = w.Key
	}
}

// changed passes each key that the group changes.
func (g *group) changed(yield func(store.Space, []byte) bool) {
	for i := range g.pending {
		key := g.pending[i].dataKey
		if !yield(layout.SpaceOf(key), key[layout.PrefixSize:]) {
			return
		}
	}
}

// fill puts the group into a Badger transaction; published is the revision of
// the group before.
func (g *group) fill(txn *badger.Txn, published store.Revision, log *certify.Log) error {
	for i := range g.pending {
		if err := g.pending[i].fill(txn); err != nil {
			return err
		}
	}
	if err := txn.Set(layout.RevisionKey, binary.LittleEndian.AppendUint64(nil, uint64(published))); err != nil {
		return err
	}
	for space := range g.spaces {
		if err := txn.Set(layout.Key(layout.KindUsage, space, nil), layout.EncodeUsage(log.Usage(space))); err != nil {
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

func (p *pending) fill(txn *badger.Txn) error {
	record := p.record
	if p.state.Exists && record == nil { // a counter that was added to
		record, _ = layout.EncodeRecord(store.Value{Data: store.AppendCounter(nil, p.state.N), Expires: p.state.Expires})
	}
	if p.tail != nil || p.dropTail {
		if err := put(txn, layout.TailKey(p.dataKey), p.tail); err != nil {
			return err
		}
	}
	return put(txn, p.dataKey, record)
}

// put sets key to value, or deletes it when value is nil.
func put(txn *badger.Txn, key, value []byte) error {
	if value == nil {
		return txn.Delete(key)
	}
	return txn.Set(key, value)
}
