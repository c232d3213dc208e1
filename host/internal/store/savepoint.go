package store

import (
	"bytes"
	"slices"
)

// Savepoint is a moment of a transaction to which its writes can be put back. It is
// good until a savepoint that was made before it ends.
type Savepoint struct {
	undone int // entries of the journal that are older
	total  total
}

// journal notes what writes replace, while there are savepoints. Without any, it
// costs a comparison.
type journal struct {
	open    int // savepoints
	entries []undo
}

// undo is what stood in the place of a write.
type undo struct {
	of   *Tx // a part, or the whole
	in   place
	op   Op // what was there, or the key where nothing was
	none bool
}

// place is where a transaction keeps a write.
type place uint8

const (
	inWrites place = iota
	inStamped
	inRecords
)

// Savepoint begins to remember what writes of all parts replace, until Keep or Undo.
// Savepoints lie within each other: whichever began last ends first.
func (tx *Tx) Savepoint() Savepoint {
	whole := tx.top()
	whole.journal.open++
	return Savepoint{len(whole.journal.entries), whole.total}
}

// Wrote reports whether any part has written since a savepoint.
func (tx *Tx) Wrote(s Savepoint) bool { return len(tx.top().journal.entries) > s.undone }

// Keep ends a savepoint: what was written since stays, unless one around it is undone.
func (tx *Tx) Keep(Savepoint) {
	j := &tx.top().journal
	if j.open--; j.open == 0 {
		j.forget(0)
	}
}

// Undo ends a savepoint: what all parts wrote since it is gone. What they read stays
// read, because whoever goes on may have learned of it.
func (tx *Tx) Undo(s Savepoint) {
	whole := tx.top()
	j := &whole.journal
	for _, u := range slices.Backward(j.entries[s.undone:]) {
		u.put()
	}
	j.forget(s.undone)
	j.open--
	most := whole.total.most
	whole.total = s.total
	whole.total.most = most
}

// forget drops the entries from n on.
func (j *journal) forget(n int) {
	clear(j.entries[n:])
	j.entries = j.entries[:n]
}

// note remembers what a write is about to replace, nil = nothing.
func (tx *Tx) note(in place, op, before *Op) {
	j := &tx.top().journal
	if j.open == 0 {
		return
	}
	u := undo{of: tx, in: in, none: before == nil}
	if before != nil {
		u.op = *before
	} else {
		u.op.Key, u.op.KeyStamp = bytes.Clone(op.Key), op.KeyStamp
	}
	j.entries = append(j.entries, u)
}

// put puts back what there was.
func (u *undo) put() {
	tx := u.of
	switch u.in {
	case inWrites:
		i, _ := tx.writes.search(u.op.Key)
		if u.none {
			tx.writes.ops = slices.Delete(tx.writes.ops, i, i+1)
		} else {
			*tx.writes.ops[i] = u.op
		}
	case inStamped:
		tx.stamped = u.within(tx.stamped, tx.findStamped(&u.op))
	case inRecords:
		i, _ := tx.findRecord(u.op.Key)
		tx.records = u.within(tx.records, i)
	}
}

// within returns ops with what there was at i.
func (u *undo) within(ops []Op, i int) []Op {
	if u.none {
		return slices.Delete(ops, i, i+1)
	}
	ops[i] = u.op
	return ops
}
