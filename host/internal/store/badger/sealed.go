package badger

import (
	"bytes"
	"slices"

	"github.com/tidwall/btree"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/layout"
)

// Latest implements store.Store. It waits for nobody but whoever is being decided
// about.
func (s *Store) Latest() (store.Snapshot, error) {
	if !s.enter() {
		return nil, fault.New(fault.Unavailable, "snapshot", "the store is closed")
	}
	defer s.leave()
	snap := s.committer.latest()
	snap.txn = s.db.NewTransactionAt(uint64(snap.epoch.Revision), false)
	return snap, nil
}

// latest returns a snapshot of the last decision, with no transaction yet.
func (c *committer) latest() *snapshot {
	c.mu.Lock()
	defer c.mu.Unlock()
	snap := &snapshot{store: c.store, epoch: c.store.epochs.Enter()}
	snap.revision = snap.epoch.Revision
	if g := c.flight; g != nil {
		snap.lay(g, g.pending) // it does not change any more
	}
	if g := c.open; g.taken > 0 {
		snap.lay(g, g.pending.Copy())
	}
	return snap
}

// lay puts a group on top of what the snapshot shows.
func (s *snapshot) lay(g *group, l *btree.BTreeG[*pending]) {
	s.layers = append(s.layers, l)
	s.drops = append(s.drops, g.drops...)
	s.revision, s.settling = g.revision, g.settling
}

// Durable implements store.Snapshot.
func (s *snapshot) Durable() error { return s.settling.WaitRead() }

// gone reports whether space looks empty because it was dropped.
func (s *snapshot) gone(space store.Space) bool {
	return slices.Contains(s.drops, space.Owner()) || s.store.droppedBy(space, s.epoch.Revision)
}

// pendingAt returns the newest content of the layers at a data key, nil if they
// have none.
func (s *snapshot) pendingAt(dataKey []byte) *pending {
	for _, l := range slices.Backward(s.layers) {
		if p, ok := l.Get(&pending{encoded: encoded{dataKey: dataKey}}); ok {
			return p
		}
	}
	return nil
}

// value returns what p leaves at its key.
func (p *pending) value() (v store.Value, ok bool, err error) {
	if !p.state.Exists {
		return v, false, nil
	}
	v, more, err := layout.DecodeRecord(p.record)
	if more {
		v.Data = slices.Concat(v.Data, p.tail)
	}
	return v, err == nil, err
}

// visit takes a data key with its value; false ends the walk.
type visit func(dataKey []byte, v store.Value) bool

// interval is a walk through the data keys in [low, high).
type interval struct {
	low, high []byte
	reverse   bool
}

// walk passes what the lowest n layers and the disk below them hold.
func (s *snapshot) walk(n int, in interval, yield visit) error {
	if n == 0 {
		return s.walkDisk(in, yield)
	}
	m := merge{interval: in, yield: yield, iter: s.layers[n-1].Iter()}
	defer m.iter.Release()
	m.seek()
	err := s.walk(n-1, in, m.below)
	for err == nil && m.err == nil && !m.stopped && m.has {
		m.emit()
	}
	if m.err != nil {
		return m.err
	}
	return err
}

// merge walks a layer and what lies below it side by side.
type merge struct {
	interval
	yield   visit
	iter    btree.IterG[*pending]
	has     bool // iter is at an item of the interval
	stopped bool
	err     error
}

// seek finds the first item of the walk.
func (m *merge) seek() {
	from := m.low
	if m.reverse {
		from = m.high
	}
	found := m.iter.Seek(&pending{encoded: encoded{dataKey: from}})
	switch {
	case m.reverse && found:
		found = m.iter.Prev()
	case m.reverse:
		found = m.iter.Last()
	}
	m.look(found)
}

// look notes whether iter, if it found an item, is still within the interval.
func (m *merge) look(found bool) {
	m.has = found
	if found {
		key := m.iter.Item().dataKey
		m.has = bytes.Compare(key, m.low) >= 0 && bytes.Compare(key, m.high) < 0
	}
}

// below takes a key from below the layer, after all of the layer's that come before.
func (m *merge) below(dataKey []byte, v store.Value) bool {
	for m.has {
		order := bytes.Compare(m.iter.Item().dataKey, dataKey)
		if order == 0 {
			return m.emit()
		}
		if m.reverse == (order < 0) {
			break
		}
		if !m.emit() {
			return false
		}
	}
	m.stopped = !m.yield(dataKey, v)
	return !m.stopped
}

// emit passes the layer's item on, unless it is a deletion, and goes to the next.
func (m *merge) emit() bool {
	p := m.iter.Item()
	v, ok, err := p.value()
	if m.err = err; err != nil {
		return false
	}
	if m.reverse {
		m.look(m.iter.Prev())
	} else {
		m.look(m.iter.Next())
	}
	m.stopped = ok && !m.yield(p.dataKey, v)
	return !m.stopped
}
