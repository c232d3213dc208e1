// Package store is the contract of the transactional key-value store under
// every invocation, and the transaction (Tx) that turns guest calls into one
// read set and one set of effects. Engines live in sub-packages and pass the
// suite of store/storetest.
package store

import (
	"context"

	"github.com/wasmoor/wasmoor/abi/limits"
)

// Limits of keys and values; an engine may rely on them.
const (
	MaxKey   = limits.Key   // bytes of a key within its key space
	MaxValue = limits.Value // bytes of a value
)

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
	// Snapshot opens the newest durable state. Release it.
	Snapshot() (Snapshot, error)
	// Commit certifies e against everything committed since e.Read and makes
	// its writes durable, all or none. It returns when that is decided; once
	// the effects are handed over, ctx no longer matters. Effects that write
	// nothing are correct as of their snapshot and return e.Read at once. Each
	// commit has a revision of its own: replaying commits one at a time in the order
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
	// Published returns the revision of the newest durable state, or of a later one, at the
	// cost of one load: a snapshot that was opened before shows nothing later.
	Published() Revision
	// Latest opens the newest decided state, whether it is durable or not: nothing
	// that depends on it may leave the process before its Durable has returned nil.
	// Release it.
	Latest() (Snapshot, error)
	// Seal is a Commit that returns once e is decided. Accepted effects are shown by
	// Latest from here on, and e is not used any more; the Settling says when they
	// are durable. With an error it is what the refusal may rest on: until that is
	// durable, only Latest is sure to show it, and the refusal may not leave the
	// process.
	Seal(ctx context.Context, e *Effects) (Revision, *Settling, error)
	// Usage returns what a key space holds in all its areas but AreaQueue, or what
	// that area holds, as counted by commits; NotFound for a dropped one. Expired values count until they are swept.
	Usage(space Space) (Usage, error)
	// Drop tombstones a key space, all its areas, at once and sweeps its keys later. Snapshots
	// opened afterwards find it empty, commits to it fail with NotFound, for
	// ever. Dropping it again is fine; space 0, or an area, is Invalid. Other errors are
	// those of Commit.
	Drop(ctx context.Context, space Space) error
	// Watch tells of changes to the keys of space (an area too) that start with
	// prefix, each after its commit is durable and readable. It holds up no
	// commit. Close the watch; the store's end does not.
	Watch(space Space, prefix []byte) *Watch
	// Follow passes on what every commit changes, once it is durable and readable. It
	// holds up no commit. Close it; the store's end does not.
	Follow() *Follow
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
	// Since returns a revision up to its own: at that, and at all between the two, each key
	// of an area has the same value. 0 = it cannot say, as while a change of the area is
	// not on disk: should that fail, another one may get its revision.
	Since(area Space) Revision
	// Get returns the value of a key, expired or not.
	Get(space Space, key []byte) (v Value, ok bool, err error)
	// Scan calls yield for each key of space in [from, to) in order (or in
	// reverse) until yield returns false. A nil to is the end of the space.
	// Expired values are passed too. Slices are valid only within the call.
	Scan(space Space, from, to []byte, reverse bool, yield func(key []byte, v Value) bool) error
	// Durable returns once all that the snapshot shows is durable, at once for one
	// that Store.Snapshot opened. It is Unavailable if that will never be: nothing
	// was done. It may be called after Release.
	Durable() error
	Release()
}

// Usage counts what a key space holds: live keys, and the bytes of keys and values.
type Usage struct {
	Keys  int64
	Bytes int64
}

// Quota bounds a key space; 0 = no bound.
type Quota struct {
	Keys   int64
	Bytes  int64
	Shared *Shared // what it shares with other key spaces; nil = nothing
}

// Shared bounds several key spaces together, with all their areas. It is not changed
// once it is made.
type Shared struct {
	Name   string  // of the team whose they are
	Bytes  int64   // more than 0
	Spaces []Space // at most MaxShared; the one with the quota is among them
}

// MaxShared is how many key spaces may share a bound.
const MaxShared = 1 << 16
