package store

import (
	"cmp"
	"slices"
)

// total is what all parts of a transaction write.
type total struct {
	bytes   int // of keys and values
	most    int // that bytes has been
	writes  int32
	stamped int32 // of the writes: those with a stamp in the key
}

// add counts writes, unless that would break a bound.
func (t *total) add(bytes, writes, stamped int) (ok bool) {
	if t.bytes+bytes > MaxEffectBytes || int(t.writes)+writes > MaxEffectOps || int(t.stamped)+stamped > MaxStamped {
		return false
	}
	t.bytes, t.writes, t.stamped = t.bytes+bytes, t.writes+int32(writes), t.stamped+int32(stamped)
	t.most = max(t.most, t.bytes)
	return true
}

// Part returns the part of the transaction in another space, or another area of its
// own, which has a quota where that area is counted apart (Space.Account). What all
// areas of a space share with other spaces, the first part of it says. It is the same for
// the same space. All parts read one snapshot, share the bounds of what a
// transaction writes, and are committed as one by the Effects of the whole, or
// dropped. The part lives as long as the whole, and is not safe for use at the same time as it.
func (tx *Tx) Part(space Space, quota Quota) *Tx {
	whole := tx.top()
	if space == whole.space {
		return whole
	}
	for _, p := range whole.parts {
		if p.space == space {
			return p
		}
	}
	quota.Shared = whole.sharedWith(space, quota.Shared)
	p := &Tx{whole: whole, space: space, quota: quota, now: whole.now}
	p.writes.reset(&whole.total)
	whole.parts = append(whole.parts, p)
	return p
}

// sharedWith returns what the spaces of an owner share with others: what the first part
// of the owner says, or is said now.
func (tx *Tx) sharedWith(space Space, said *Shared) *Shared {
	if space.Owner() == tx.space.Owner() {
		return tx.quota.Shared
	}
	for _, p := range tx.parts {
		if p.space.Owner() == space.Owner() {
			return p.quota.Shared
		}
	}
	return said
}

// CertifyReads has the commit of a transaction that has read, and writes nothing, decide
// whether what it has read still holds: it removes a key that never is. Without that,
// reads alone are of their snapshot and no commit is made.
func (tx *Tx) CertifyReads() error {
	whole := tx.top()
	if whole.snap == nil || !whole.ReadOnly() {
		return nil
	}
	return whole.Part(whole.space.In(AreaTopics), Quota{}).Delete([]byte("reads"))
}

// top returns the whole of which tx is a part.
func (tx *Tx) top() *Tx {
	if tx.whole != nil {
		return tx.whole
	}
	return tx
}

// leaveParts ends the parts there are.
func (tx *Tx) leaveParts() {
	for _, p := range tx.parts {
		p.whole, p.snap = nil, nil
	}
	tx.parts = nil
}

// Effects returns what the whole transaction read and wants to write, a Part for
// each of its parts in order of space, in key order. It shares the transaction's
// memory: valid until Reset, and further writes make it stale.
func (tx *Tx) Effects() *Effects {
	whole := tx.top()
	e := &struct {
		Effects
		parts [1]Part // one allocation for both
	}{Effects: Effects{Read: whole.read, Now: whole.now}}
	e.Parts = append(e.parts[:0], whole.part())
	for _, p := range whole.parts {
		e.Parts = append(e.Parts, p.part())
	}
	slices.SortFunc(e.Parts, func(a, b Part) int { return cmp.Compare(a.Space, b.Space) })
	return &e.Effects
}

// part returns what tx read and wants to write itself.
func (tx *Tx) part() Part {
	tx.reads.sort()
	p := Part{
		Space: tx.space, Quota: tx.quota, Keys: tx.reads.sortedKeys(), Ranges: tx.reads.ranges, Stamped: tx.stamped, Records: tx.records,
	}
	if len(tx.writes.ops) > 0 {
		p.Ops = make([]Op, len(tx.writes.ops))
		for i, op := range tx.writes.ops {
			p.Ops[i] = *op
			p.Ops[i].Found = tx.reads.found(op.Key)
		}
	}
	return p
}
