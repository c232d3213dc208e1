package store

import (
	"bytes"
	"strconv"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Query selects keys of a list.
type Query struct {
	Prefix  []byte // only keys that start with it; empty = all
	After   []byte // start after this key, in the direction of travel; nil = from the start
	Limit   int    // at most this many keys; 0 = no limit
	Reverse bool   // from the highest key down
	// Untracked leaves the keys that are walked out of what the transaction has read:
	// a change among them by another commit is no conflict.
	Untracked bool
}

// interval returns the keys q asks for as [from, to); nil to is the end.
func (q Query) interval() (from, to []byte) {
	from, to = q.Prefix, prefixEnd(q.Prefix)
	if from == nil {
		from = []byte{}
	}
	switch {
	case q.After == nil:
	case q.Reverse:
		if to == nil || bytes.Compare(q.After, to) < 0 {
			to = bytes.Clone(q.After)
		}
	case bytes.Compare(q.After, from) >= 0:
		from = after(q.After)
	}
	return from, to
}

// List calls yield for each key of q in order, own writes merged with the
// snapshot, until yield returns false or the limit is reached. key and data
// are valid within the call only, and yield must not use tx. Only the interval
// that was really walked becomes a dependency: stopping early at a key ends it
// there.
func (tx *Tx) List(q Query, yield func(key, data []byte) bool) error {
	if tx.closed() {
		return fault.New(fault.Internal, "list", "the transaction is closed")
	}
	if q.Limit < 0 {
		return fault.New(fault.Invalid, "list", "the limit is negative; 0 means none")
	}
	if len(q.Prefix) > MaxKey || len(q.After) > MaxKey {
		return fault.New(fault.TooLarge, "list", "prefix or cursor is over 1024 bytes")
	}
	from, to := q.interval()
	if to != nil && bytes.Compare(from, to) >= 0 {
		return nil
	}
	if err := tx.open(); err != nil {
		return err
	}
	m := &merge{tx: tx, yield: yield, limit: q.Limit, reverse: q.Reverse}
	m.own = tx.writes.between(from, to)
	err := tx.snap.Scan(tx.space, from, to, q.Reverse, m.stored)
	if err == nil && !m.stopped {
		m.rest()
	}
	if !q.Untracked {
		m.record(bytes.Clone(from), to)
	} else {
		tx.top().untracked = true
	}
	if m.err != nil {
		return m.err
	}
	return tx.failed(err)
}

// between returns the ops on keys in [from, to).
func (w *writeSet) between(from, to []byte) []*Op {
	i, _ := w.search(from)
	j := len(w.ops)
	if to != nil {
		j, _ = w.search(to)
	}
	return w.ops[i:j]
}

// merge walks the snapshot and the own writes side by side.
type merge struct {
	tx      *Tx
	own     []*Op // not yet passed, in key order
	yield   func(key, data []byte) bool
	limit   int
	count   int
	reverse bool
	stopped bool
	last    []byte // where it stopped
	err     error
}

// next returns the own op that comes next in the direction of travel.
func (m *merge) next() *Op {
	switch {
	case len(m.own) == 0:
		return nil
	case m.reverse:
		return m.own[len(m.own)-1]
	default:
		return m.own[0]
	}
}

func (m *merge) skip() {
	if m.reverse {
		m.own = m.own[:len(m.own)-1]
	} else {
		m.own = m.own[1:]
	}
}

// stored takes a key of the snapshot; false ends the scan.
func (m *merge) stored(key []byte, v Value) bool {
	for {
		op := m.next()
		if op == nil {
			return m.emit(key, nil, v, true)
		}
		order := bytes.Compare(op.Key, key)
		if m.reverse {
			order = -order
		}
		if order > 0 {
			return m.emit(key, nil, v, true)
		}
		m.skip()
		if order == 0 {
			return m.emit(key, op, v, true)
		}
		if !m.emit(op.Key, op, Value{}, false) {
			return false
		}
	}
}

// rest takes the own writes after the last key of the snapshot.
func (m *merge) rest() {
	for op := m.next(); op != nil; op = m.next() {
		m.skip()
		if !m.emit(op.Key, op, Value{}, false) {
			return
		}
	}
}

// emit passes one key on, as the own op (nil if none) makes it, unless it is
// not there. It returns false when the walk is over.
func (m *merge) emit(key []byte, op *Op, v Value, ok bool) bool {
	var data []byte
	switch {
	case op != nil && op.Kind == OpDelete:
		return true
	case op != nil && op.Kind == OpSet:
		data = op.Value.Data
	default:
		if data, ok, m.err = m.tx.visible(op, v, ok); m.err != nil {
			return m.stop(key)
		}
		if !ok {
			return true
		}
	}
	m.count++
	if !m.yield(key, data) || m.count == m.limit {
		return m.stop(key)
	}
	return true
}

func (m *merge) stop(key []byte) bool {
	m.stopped = true
	m.last = bytes.Clone(key)
	return false
}

// record makes the walked part of [from, to) a dependency.
func (m *merge) record(from, to []byte) {
	switch {
	case !m.stopped:
	case m.reverse:
		from = m.last
	default:
		to = after(m.last)
	}
	m.tx.reads.addRange(from, to)
}

// quote shows a key in a message, shortened.
func quote(key []byte) string {
	const most = 64
	if len(key) > most {
		return strconv.Quote(string(key[:most])) + "..."
	}
	return strconv.Quote(string(key))
}
