package store

import (
	"bytes"
	"sort"
)

// writeSet is a transaction's buffered writes, at most one op per key, sorted
// by key. A sorted slice, not a map: a list merges it in order, the effects
// come out in an order that does not depend on hashing, and most transactions
// write a handful of keys.
type writeSet struct {
	ops   []*Op
	total *total // in which they count
}

func (w *writeSet) reset(total *total) {
	clear(w.ops)
	w.ops, w.total = w.ops[:0], total
}

// search returns where key is, or belongs.
func (w *writeSet) search(key []byte) (i int, found bool) {
	i = sort.Search(len(w.ops), func(i int) bool { return bytes.Compare(w.ops[i].Key, key) >= 0 })
	return i, i < len(w.ops) && bytes.Equal(w.ops[i].Key, key)
}

// get returns the op on key, nil if there is none.
func (w *writeSet) get(key []byte) *Op {
	if i, ok := w.search(key); ok {
		return w.ops[i]
	}
	return nil
}

// fits counts op in place of before, nil = nothing, or reports that it would break a
// bound.
func (w *writeSet) fits(op, before *Op) (ok bool) {
	more, another := op.Size(), 1
	if before != nil {
		more, another = more-before.Size(), 0
	}
	return w.total.add(more, another, 0)
}

// put replaces the op on op.Key by op.
func (w *writeSet) put(op Op) {
	i, found := w.search(op.Key)
	if found {
		op.Key = w.ops[i].Key
		*w.ops[i] = op
		return
	}
	op.Key = bytes.Clone(op.Key)
	w.ops = append(w.ops, nil)
	copy(w.ops[i+1:], w.ops[i:])
	w.ops[i] = &op
}

// Writes reports whether the transaction writes keys that begin with prefix.
func (tx *Tx) Writes(prefix []byte) bool {
	i, _ := tx.writes.search(prefix)
	return i < len(tx.writes.ops) && bytes.HasPrefix(tx.writes.ops[i].Key, prefix)
}
