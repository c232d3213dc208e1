// Package store is the contract of the transactional key-value store under
// every invocation, and the transaction (Tx) that turns guest calls into one
// read set and one set of effects. Engines live in sub-packages and pass the
// suite of store/storetest.
package store

import (
	"context"
	"time"
)

// Limits of keys and values; an engine may rely on them.
const (
	MaxKey   = 1 << 10 // bytes of a key within its key space
	MaxValue = 1 << 20 // bytes of a value
)

// Space is the internal id of a key space: fixed length on disk, never derived
// from a name, never used twice. Space 0 is the host's own (package registry).
type Space uint64

// Records is the host's own area of a key space: it is counted, dropped and
// committed to with the space, and out of reach of everything that reads or
// writes the space itself.
func (s Space) Records() Space { return s | recordsBit }

// Owner returns the key space an area belongs to; a space belongs to itself.
func (s Space) Owner() Space { return s &^ recordsBit }

const recordsBit Space = 1 << 63

// Revision numbers commits. Later commits have higher revisions.
type Revision uint64

// Value is a stored value. Expires is a Unix time in milliseconds, 0 = never;
// the store keeps an expired value until it is swept, and a Tx judges expiry by
// its own clock, so that a snapshot stays the same however long it is read.
type Value struct {
	Data    []byte
	Expires int64
}

// Store is an ordered key-value store with snapshot reads and atomic,
// serializable commits. All methods are safe for concurrent use.
type Store interface {
	// Snapshot opens the newest committed state. Release it.
	Snapshot() (Snapshot, error)
	// Commit certifies e against everything committed since e.Read and makes
	// its writes durable, all or none. It returns when that is decided; once
	// the effects are handed over, ctx no longer matters. Effects without ops
	// and without a record are correct as of their snapshot and return e.Read
	// at once. Each commit
	// has a revision of its own: replaying commits one at a time in the order
	// of their revisions, each would read again what it read.
	// Errors by fault code: Conflict (something read has changed, or the
	// snapshot is older than the store remembers: run again on a new one; its
	// cause is a *Conflict that names the key),
	// Exhausted (quota, or the disk is nearly full), Invalid (an add met a value
	// that is not a counter, or overflows; ops out of order), TooLarge (over the
	// bounds of this package), NotFound (the space is dropped), Deadline (ctx
	// was done before the effects were handed over), Unavailable (read-only or
	// closed): nothing was done. Unknown: the write to disk failed, the outcome
	// is unknown, and the store is read-only until it is opened again.
	Commit(ctx context.Context, e *Effects) (Revision, error)
	// Usage returns what a key space holds, its records too, as counted by
	// commits; NotFound for a dropped one. Expired values count until they are swept.
	Usage(space Space) (Usage, error)
	// Drop tombstones a key space at once and sweeps its keys later. Snapshots
	// opened afterwards find it empty, commits to it fail with NotFound, for
	// ever. Dropping it again is fine; space 0 is Invalid. Other errors are
	// those of Commit.
	Drop(ctx context.Context, space Space) error
	// Health returns nil while the store can read and write, else what Commit
	// would answer: Unavailable or Exhausted.
	Health() error
	// Close decides what was handed over and releases the files. Snapshots must
	// have been released. Closing twice is fine.
	Close() error
}

// Snapshot is the state of the store at one revision. Safe for concurrent use.
// Data slices it returns are valid until Release and must not be changed.
// Errors by fault code: Conflict (so old that what it shows may be gone from
// disk: start again on a new one), Internal (damaged files, or released).
type Snapshot interface {
	Revision() Revision
	// Get returns the value of a key, expired or not.
	Get(space Space, key []byte) (v Value, ok bool, err error)
	// Scan calls yield for each key of space in [from, to) in order (or in
	// reverse) until yield returns false. A nil to is the end of the space.
	// Expired values are passed too. Slices are valid only within the call.
	Scan(space Space, from, to []byte, reverse bool, yield func(key []byte, v Value) bool) error
	Release()
}

// Usage is what a key space holds: live keys, and the bytes of keys and values.
type Usage struct {
	Keys  int64 `json:"keys"`
	Bytes int64 `json:"bytes"`
}

// Quota bounds a key space; 0 = no bound.
type Quota struct {
	Keys  int64
	Bytes int64
}

// Bounds of one commit, which is never split.
const (
	MaxEffectBytes = 4 << 20 // the sum of Op.Size, without the record
	MaxEffectOps   = 10_000
)

// OpKind is what a write does.
type OpKind uint8

// The kinds of write.
const (
	OpSet OpKind = iota
	OpDelete
	// OpAdd adds Delta to a counter: commutes with other adds, so that two
	// requests that only add never conflict. It keeps the value's expiry.
	OpAdd
)

// Op is one write to one key.
type Op struct {
	Kind  OpKind
	Key   []byte
	Value Value
	Delta int64
}

// Range is the interval [From, To) of keys; a nil To is the end of the space.
type Range struct{ From, To []byte }

// Effects is everything a transaction read and wants to write, in one key
// space.
type Effects struct {
	Space  Space
	Quota  Quota
	Read   Revision  // the snapshot the reads saw
	Now    time.Time // judges expiry in certification: the invocation's start
	Keys   [][]byte  // point reads, absent keys included
	Ranges []Range   // intervals actually scanned
	Ops    []Op      // in ascending order of key, one per key
	// Record is a value that the host sets in the space's Records, in the same
	// commit; nil = none. Its key counts as read, so that of two commits with
	// the same record one conflicts.
	Record *Op
}
