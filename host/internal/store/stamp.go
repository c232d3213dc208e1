package store

import (
	"bytes"
	"encoding/binary"
	"slices"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Stamp is where in a key, or in the data of a value, a commit writes its
// revision, which is unique and grows from commit to commit: 8 bytes, big-endian,
// so that keys sort by it. 0 = nowhere; else the offset and one.
type Stamp uint32

const stampSize = abi.VersionstampSize

// StampAt returns the stamp at an offset in b, of which abi.NoVersionstamp is none.
// It reports whether 8 bytes of b lie there.
func StampAt(offset int64, b []byte) (s Stamp, ok bool) {
	if offset == abi.NoVersionstamp {
		return 0, true
	}
	if offset < 0 || offset > int64(len(b))-stampSize {
		return 0, false
	}
	return Stamp(offset + 1), true
}

// fits reports whether s is nowhere, or lies within b.
func (s Stamp) fits(b []byte) bool { return s == 0 || int64(s)-1+stampSize <= int64(len(b)) }

// Put writes a revision into b, if s is anywhere.
func (s Stamp) Put(b []byte, r Revision) {
	if s != 0 {
		binary.BigEndian.PutUint64(b[s-1:], uint64(r))
	}
}

// SetStamped buffers a write into whose key and data the commit puts its revision,
// at offsets that StampAt understands. A key with a stamp is not known before the
// commit, so the transaction itself does not see it; of two with the same bytes
// around the stamp the last stays. A transaction has at most MaxStamped of them.
// Where only the data has a stamp, the transaction sees what it passed.
func (tx *Tx) SetStamped(key, data []byte, keyOffset, dataOffset int64, ttl time.Duration) error {
	if err := tx.check("set", key); err != nil {
		return err
	}
	op, err := tx.set(key, data, ttl)
	if err != nil {
		return err
	}
	keyStamp, okKey := StampAt(keyOffset, key)
	dataStamp, okData := StampAt(dataOffset, data)
	switch {
	case !okKey || !okData:
		return fault.New(fault.Invalid, "set", "the versionstamp is not within the key or the value; it takes 8 bytes")
	case keyStamp == 0:
		op.ValueStamp = dataStamp
		return tx.put(op)
	}
	op.KeyStamp, op.ValueStamp, op.Key = keyStamp, dataStamp, bytes.Clone(key)
	keyStamp.Put(op.Key, 0) // what the guest has there does not matter
	return tx.putStamped(op)
}

// putStamped takes a write with a stamp in its key in, over an earlier one that
// would have the same key.
func (tx *Tx) putStamped(op Op) error {
	i := tx.findStamped(&op)
	more, another := op.Size(), 1
	if i >= 0 {
		more, another = more-tx.stamped[i].Size(), 0
	}
	if !tx.writes.total.add(more, another, another) {
		return errTooMuch
	}
	if i >= 0 {
		tx.note(inStamped, &op, &tx.stamped[i])
		tx.stamped[i] = op
	} else {
		tx.note(inStamped, &op, nil)
		tx.stamped = append(tx.stamped, op)
	}
	return nil
}

// findStamped returns where a write is that would have the key of op, -1 = nowhere.
func (tx *Tx) findStamped(op *Op) int {
	return slices.IndexFunc(tx.stamped, func(o Op) bool { return o.KeyStamp == op.KeyStamp && bytes.Equal(o.Key, op.Key) })
}
