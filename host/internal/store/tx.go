package store

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

const counterSize = abi.CounterSize

// Tx is one transaction in a key space, and by Part in other areas and spaces: it
// reads a snapshot and its own writes, buffers the writes and remembers what it read.
// Nothing reaches the store; Effects is what Store.Commit takes.
//
// Not safe for concurrent use. Keys and values passed in are copied, so the
// caller may give guest memory. Errors by fault code: Invalid (empty key,
// negative TTL or limit, add on a value that is not a counter, overflow),
// TooLarge (key, value or effects over a bound of this package), Internal (the
// transaction is closed), and those of Snapshot. A refused write changes
// nothing.
type Tx struct {
	source    Source   // of snap, nil when that was given or the transaction is closed
	snap      Snapshot // nil until the first read
	space     Space
	quota     Quota
	read      Revision
	now       time.Time
	writes    writeSet
	reads     readSet
	scratch   [counterSize]byte
	failure   error
	stamped   []Op // writes whose key is not known yet
	records   []Op // in order of key
	total     total
	parts     []*Tx // of other areas and spaces
	whole     *Tx   // what this is a part of, nil = it is the whole
	expires   int64 // see Reads
	untracked bool  // see Reads
	journal   journal
}

// Source opens snapshots. A Store is one.
type Source interface {
	Snapshot() (Snapshot, error)
}

// Begin starts a transaction on snap, which it owns from here on: Close
// releases it. now judges expiry for the whole transaction.
func Begin(snap Snapshot, space Space, quota Quota, now time.Time) *Tx {
	tx := &Tx{snap: snap, read: snap.Revision()}
	tx.space, tx.quota, tx.now = space, quota, now
	tx.writes.reset(&tx.total)
	return tx
}

// Reset closes tx and starts another transaction in its memory, the zero value
// included. It opens a snapshot of source at its first read, so that as little
// as possible changes between its reads and its commit. Effects that tx has given
// out must be decided by then.
func (tx *Tx) Reset(source Source, space Space, quota Quota, now time.Time) {
	tx.Close()
	tx.source, tx.space, tx.quota, tx.read, tx.now, tx.failure = source, space, quota, 0, now, nil
	tx.expires, tx.untracked = 0, false
	clear(tx.records)
	clear(tx.stamped)
	tx.records, tx.stamped = tx.records[:0], tx.stamped[:0]
	tx.total = total{}
	tx.journal.open = 0
	tx.journal.forget(0)
	tx.writes.reset(&tx.total)
	tx.reads.reset()
}

// Close releases the snapshot, and ends all parts. Effects stay valid. Closing twice
// is fine. Whoever began the whole closes it.
func (tx *Tx) Close() {
	tx.leaveParts()
	if tx.snap != nil {
		tx.snap.Release()
	}
	tx.snap, tx.source = nil, nil
}

// open makes sure that there is a snapshot.
func (tx *Tx) open() error {
	if tx.snap != nil {
		return nil
	}
	if tx.whole != nil {
		err := tx.whole.open()
		tx.snap = tx.whole.snap
		return err
	}
	snap, err := tx.source.Snapshot()
	if err != nil {
		return tx.failed(err)
	}
	tx.snap, tx.read = snap, snap.Revision()
	return nil
}

// closed reports whether tx is of no use any more.
func (tx *Tx) closed() bool {
	whole := tx.top()
	return whole.snap == nil && whole.source == nil
}

// Now returns the time that judges expiry.
func (tx *Tx) Now() time.Time { return tx.now }

// ReadOnly reports whether there is nothing to write, in no part.
func (tx *Tx) ReadOnly() bool {
	for _, p := range tx.parts {
		if !p.ReadOnly() {
			return false
		}
	}
	return len(tx.writes.ops) == 0 && len(tx.stamped) == 0 && len(tx.records) == 0
}

// Taken returns the most bytes of keys and values that there have been to write in
// all parts, without records, and in how many writes.
func (tx *Tx) Taken() (bytes, writes int) {
	whole := tx.top()
	return whole.total.most, int(whole.total.writes)
}

// Stamps returns how many writes of this part have a versionstamp in their key.
func (tx *Tx) Stamps() int { return len(tx.stamped) }

// Get returns the value of key as the transaction sees it. ok is false when it
// is absent, expired or deleted; an empty value is not absent. data is valid
// until the next call on tx and must not be changed.
func (tx *Tx) Get(key []byte) (data []byte, ok bool, err error) { return tx.get(key, true) }

func (tx *Tx) get(key []byte, tracked bool) (data []byte, ok bool, err error) {
	if err := tx.check("get", key); err != nil {
		return nil, false, err
	}
	own := tx.writes.get(key)
	if own != nil && own.Kind != OpAdd {
		return own.Value.Data, own.Kind == OpSet, nil
	}
	if err := tx.open(); err != nil {
		return nil, false, err
	}
	v, ok, err := tx.snap.Get(tx.space, key)
	if err != nil {
		return nil, false, tx.failed(err)
	}
	// Absence is recorded too. An add that was read stays an add next to the
	// point read: the read pins the value it is added to.
	if tracked {
		var found State
		if ok {
			found = StateOf(v)
		}
		tx.reads.addKey(key, found)
	} else {
		tx.top().untracked = true
	}
	return tx.visible(own, v, ok)
}

// failed remembers that the snapshot could not be opened or read.
func (tx *Tx) failed(err error) error {
	if whole := tx.top(); whole.failure == nil {
		whole.failure = err
	}
	return err
}

// Failure returns the first error of a read of the snapshot in any part, or nil: a Conflict
// when it became too old meanwhile, Internal when the data is damaged, Unavailable
// when none could be opened. What the
// transaction has read is not enough to go on, whatever its user made of the
// error.
func (tx *Tx) Failure() error { return tx.top().failure }

// visible is the stored value v as the transaction sees it, with its own add
// (nil if none) on top.
func (tx *Tx) visible(add *Op, v Value, ok bool) ([]byte, bool, error) {
	ok = ok && !v.ExpiredAt(tx.now)
	if ok && v.Expires != 0 {
		tx.foundUntil(v.Expires)
	}
	if add == nil {
		if !ok {
			return nil, false, nil
		}
		return v.Data, true, nil
	}
	var n int64
	if ok {
		var isCounter bool
		if n, isCounter = CounterOf(v.Data); !isCounter {
			return nil, false, NotCounter(add.Key)
		}
	}
	sum, fits := AddCounter(n, add.Delta)
	if !fits {
		return nil, false, Overflow(add.Key)
	}
	return AppendCounter(tx.scratch[:0], sum), true, nil
}

// Set buffers a write. A ttl of 0 means it never expires; otherwise it is gone
// at now+ttl, rounded up to a whole millisecond.
func (tx *Tx) Set(key, data []byte, ttl time.Duration) error {
	if err := tx.check("set", key); err != nil {
		return err
	}
	op, err := tx.set(key, data, ttl)
	if err != nil {
		return err
	}
	return tx.put(op)
}

// set returns the write of a copy of data.
func (tx *Tx) set(key, data []byte, ttl time.Duration) (Op, error) {
	if len(data) > MaxValue {
		return Op{}, fault.New(fault.TooLarge, "set", fmt.Sprintf("the value has %d bytes, over the limit of %d; split it over several keys", len(data), MaxValue))
	}
	if ttl < 0 {
		return Op{}, fault.New(fault.Invalid, "set", "the time to live is negative; 0 means for ever")
	}
	v := Value{Data: append(make([]byte, 0, len(data)), data...)}
	if ttl > 0 {
		v.Expires = expiry(tx.now, ttl)
	}
	return Op{Kind: OpSet, Key: key, Value: v}, nil
}

// Record returns what the host keeps under key in the space's AreaRecords, nil
// if there is nothing. Other users of the transaction do not see it, and it is no
// read of theirs: whoever goes on after finding nothing calls SetRecord, which
// is. It does not see this transaction's own records.
func (tx *Tx) Record(key []byte) ([]byte, error) {
	if err := tx.check("get record", key); err != nil {
		return nil, err
	}
	if err := tx.open(); err != nil {
		return nil, err
	}
	v, ok, err := tx.snap.Get(tx.space.In(AreaRecords), key)
	if err != nil || !ok || v.ExpiredAt(tx.now) {
		return nil, tx.failed(err)
	}
	return v.Data, nil
}

// SetRecord has the commit keep data under key in the space's AreaRecords for
// ttl, 0 = for ever, if no other commit has written that record since the
// snapshot. Records do not count towards the bounds of what a transaction
// writes; they have their own (MaxRecords, MaxRecordBytes).
func (tx *Tx) SetRecord(key, data []byte, ttl time.Duration) error {
	if err := tx.check("set record", key); err != nil {
		return err
	}
	v := Value{Data: bytes.Clone(data)}
	if ttl > 0 {
		v.Expires = expiry(tx.now, ttl)
	}
	return tx.putRecord(Op{Kind: OpSet, Key: bytes.Clone(key), Value: v})
}

// DeleteRecord has the commit delete a record, under the condition of SetRecord.
func (tx *Tx) DeleteRecord(key []byte) error {
	if err := tx.check("delete record", key); err != nil {
		return err
	}
	return tx.putRecord(Op{Kind: OpDelete, Key: bytes.Clone(key)})
}

// putRecord takes a record in, over an earlier one of its key.
func (tx *Tx) putRecord(op Op) error {
	if err := tx.open(); err != nil { // its revision is the condition
		return err
	}
	i, found := tx.findRecord(op.Key)
	size, n := sizeOf(tx.records)+op.Size(), len(tx.records)+1
	if found {
		size, n = size-tx.records[i].Size(), n-1
	}
	if n > MaxRecords || size > MaxRecordBytes || len(op.Value.Data) > MaxValue {
		return fault.New(fault.TooLarge, "set record", fmt.Sprintf("an invocation has at most %d records of %d bytes", MaxRecords, MaxRecordBytes))
	}
	if found {
		tx.note(inRecords, &op, &tx.records[i])
		tx.records[i] = op
	} else {
		tx.note(inRecords, &op, nil)
		tx.records = slices.Insert(tx.records, i, op)
	}
	return nil
}

// findRecord returns where a record is, or belongs.
func (tx *Tx) findRecord(key []byte) (i int, found bool) {
	return slices.BinarySearchFunc(tx.records, key, func(r Op, key []byte) int { return bytes.Compare(r.Key, key) })
}

// expiry is now+ttl in Unix milliseconds, never 0. It is rounded up, while
// ExpiredAt rounds down, so that no value lives shorter than its ttl.
func expiry(now time.Time, ttl time.Duration) int64 {
	at := now.Add(ttl)
	ms := at.UnixMilli()
	if at.Nanosecond()%int(time.Millisecond) != 0 {
		ms++
	}
	return max(ms, 1)
}

// Delete buffers the removal of key. Deleting an absent key is not an error.
func (tx *Tx) Delete(key []byte) error {
	if err := tx.check("delete", key); err != nil {
		return err
	}
	return tx.put(Op{Kind: OpDelete, Key: key})
}

// Add buffers the addition of delta to the counter at key; absent or expired
// counts as 0, and the stored expiry stays. It returns nothing and takes no
// dependency, so that transactions that only add never conflict. Whether the
// stored value is a counter, and whether the net sum fits, is found out at the
// commit, or here if the transaction wrote the key itself.
func (tx *Tx) Add(key []byte, delta int64) error {
	if err := tx.check("add", key); err != nil {
		return err
	}
	own := tx.writes.get(key)
	switch {
	case own == nil:
		return tx.put(Op{Kind: OpAdd, Key: key, Delta: delta})
	case own.Kind == OpDelete:
		return tx.put(Op{Kind: OpSet, Key: key, Value: Value{Data: AppendCounter(nil, delta)}})
	case own.Kind == OpAdd:
		sum, ok := AddCounter(own.Delta, delta)
		if !ok {
			return Overflow(key)
		}
		tx.note(inWrites, own, own)
		own.Delta = sum
		return nil
	}
	n, ok := CounterOf(own.Value.Data)
	if !ok || own.ValueStamp != 0 { // its value is not known yet
		return NotCounter(key)
	}
	sum, ok := AddCounter(n, delta)
	if !ok {
		return Overflow(key)
	}
	tx.note(inWrites, own, own)
	own.Value.Data = AppendCounter(nil, sum)
	return nil
}

func (tx *Tx) put(op Op) error {
	before := tx.writes.get(op.Key)
	if !tx.writes.fits(&op, before) {
		return errTooMuch
	}
	tx.note(inWrites, &op, before)
	tx.writes.put(op)
	return nil
}

var errTooMuch = fault.New(fault.TooLarge, "write", fmt.Sprintf(
	"one invocation writes at most %d keys, %d of them with a versionstamp, and 4 MiB of keys and values; split the work over several requests", MaxEffectOps, MaxStamped))

// check refuses keys out of bounds and use after Close.
func (tx *Tx) check(op string, key []byte) error {
	switch {
	case tx.closed():
		return fault.New(fault.Internal, op, "the transaction is closed")
	case len(key) == 0:
		return fault.New(fault.Invalid, op, "the key is empty; a key has 1 to 1024 bytes")
	case len(key) > MaxKey:
		return fault.New(fault.TooLarge, op, fmt.Sprintf("the key has %d bytes, over the limit of %d", len(key), MaxKey))
	}
	return nil
}

// NotCounter is the error of an add that meets a value that is not a counter.
func NotCounter(key []byte) error {
	return fault.New(fault.Invalid, "add", "the value of key "+quote(key)+" is not a counter (8 bytes, little-endian i64); delete it or add to another key")
}

// Overflow is the error of an add whose sum is not within an i64.
func Overflow(key []byte) error {
	return fault.New(fault.Invalid, "add", "the counter at key "+quote(key)+" would leave the range of a 64-bit integer")
}
