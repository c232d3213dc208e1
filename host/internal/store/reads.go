package store

import "slices"

// Reads are what a transaction has read at a revision: what it found holds for as long
// as no later commit changes a key among them. It is not changed once it is made.
type Reads struct {
	Revision Revision // 0 = nothing was read
	Parts    []ReadPart
	// Expires is when the first of the values that were found is gone, which no commit
	// tells of; Unix milliseconds, 0 = none expires.
	Expires int64
	// Untracked says that something was read which Parts leave out, and Joined that so much
	// was that Parts have more.
	Untracked, Joined bool
}

// ReadPart is what was read in one key space or area.
type ReadPart struct {
	Space  Space
	Keys   [][]byte // looked up, absent keys included; in order
	Ranges []Range  // walked; in order, apart
}

// Reads returns what all parts of the transaction have read, without what was read
// untracked. Like the read set that a commit is certified with, it may cover more, where
// much was read.
func (tx *Tx) Reads() Reads {
	whole := tx.top()
	r := Reads{Revision: whole.read, Expires: whole.expires, Untracked: whole.untracked}
	for _, part := range append([]*Tx{whole}, whole.parts...) {
		part.reads.sort()
		r.Joined = r.Joined || part.reads.joined
		keys, ranges := part.reads.sortedKeys(), slices.Clone(part.reads.ranges)
		if len(keys)+len(ranges) > 0 {
			r.Parts = append(r.Parts, ReadPart{Space: part.space, Keys: keys, Ranges: ranges})
		}
	}
	return r
}

// GetUntracked is Get without remembering that key was read: a write to it by
// another commit is no conflict.
func (tx *Tx) GetUntracked(key []byte) (data []byte, ok bool, err error) { return tx.get(key, false) }

// Depend remembers all keys in [from, to) as read: a write to one by another commit is a
// conflict.
func (tx *Tx) Depend(from, to []byte) { tx.reads.addRange(from, to) }

// Since is that of the snapshot for the area of the transaction, whose own writes do not
// count.
func (tx *Tx) Since() (Revision, error) {
	if err := tx.open(); err != nil {
		return 0, err
	}
	return tx.snap.Since(tx.space), nil
}

// foundUntil notes when a value is gone that the transaction has found.
func (tx *Tx) foundUntil(expires int64) {
	whole := tx.top()
	if whole.expires == 0 || expires < whole.expires {
		whole.expires = expires
	}
}
