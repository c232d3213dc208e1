package store

import (
	"bytes"
	"fmt"
	"time"

	"github.com/wasmoor/wasmoor/abi/limits"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Bounds of one commit, which is never split. They hold for the sum of its
// parts.
const (
	MaxStamped     = limits.Stamped
	MaxParts       = 64
	MaxEffectBytes = limits.EffectBytes // the sum of Op.Size, without records
	MaxEffectOps   = limits.Effects
	MaxRecords     = 1000
	MaxRecordBytes = MaxValue + 2*MaxKey // the sum of their Op.Size: one of the largest
)

// OpKind is what a write does.
type OpKind uint8

// The kinds of write. Their numbers are in the encoding of a commit.
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
	// KeyStamp and ValueStamp say where the commit writes its revision into the key
	// and the data of an OpSet.
	KeyStamp, ValueStamp Stamp
	// Found is what the transaction found under Key at Effects.Read, nil if it did not
	// look: an engine need not read it again. It is no part of a commit's encoding.
	Found *State
}

// Size is what an op counts towards MaxEffectBytes: its key and its data. The
// key of a value that expires counts twice, because it is indexed by its time
// as well.
func (op *Op) Size() int {
	switch op.Kind {
	case OpSet:
		if op.Value.Expires != 0 {
			return 2*len(op.Key) + len(op.Value.Data)
		}
		return len(op.Key) + len(op.Value.Data)
	case OpAdd:
		return len(op.Key) + counterSize
	default:
		return len(op.Key)
	}
}

// Range is the interval [From, To) of keys; a nil To is the end of the space.
type Range struct{ From, To []byte }

// Contains reports whether key lies in r.
func (r Range) Contains(key []byte) bool {
	return bytes.Compare(key, r.From) >= 0 && (r.To == nil || bytes.Compare(key, r.To) < 0)
}

// Effects is everything a transaction read and wants to write. All its parts
// are certified and committed as one.
type Effects struct {
	Read  Revision  // the snapshot the reads saw
	Now   time.Time // judges expiry in certification: the invocation's start
	Parts []Part    // in ascending order of space, one per space
	// Published, if not nil, is called when the commit is durable and snapshots show it,
	// before anybody is told of its end: for one commit after the other, in the order of
	// their revisions. It holds up all commits, so it waits for nothing. It is no part of
	// a commit's encoding, and is not called for effects that write nothing.
	Published func(Revision)
}

// Part is what effects are about in one key space, or in one area of it other
// than AreaRecords.
type Part struct {
	Space  Space
	Quota  Quota    // of Space.Account
	Keys   [][]byte // point reads, absent keys included
	Ranges []Range  // intervals actually scanned
	Ops    []Op     // in ascending order of key, one per key
	// Stamped are values to be set, all those with a KeyStamp and only those, in any
	// order. With the revision in them, no two writes of a commit may have the same key.
	Stamped []Op
	// Records are values that the host sets or deletes in the space's
	// AreaRecords, in ascending order of key, one per key. Their keys count as
	// read, so that of two commits with the same record one conflicts. Only a
	// part of AreaKV has records.
	Records []Op
}

// ReadOnly reports whether e writes nothing.
func (e *Effects) ReadOnly() bool {
	for i := range e.Parts {
		if p := &e.Parts[i]; len(p.Ops) > 0 || len(p.Stamped) > 0 || len(p.Records) > 0 {
			return false
		}
	}
	return true
}

// Check refuses effects that break a bound or an order of this package. Errors:
// Invalid, TooLarge.
func (e *Effects) Check() error {
	if len(e.Parts) > MaxParts {
		return tooLarge(fmt.Sprintf("%d key spaces, at most %d", len(e.Parts), MaxParts))
	}
	var ops, stamped, opBytes, records, recordBytes int
	for i := range e.Parts {
		p := &e.Parts[i]
		if i > 0 && e.Parts[i-1].Space >= p.Space {
			return invalid("the parts are not in ascending order of key space")
		}
		if err := p.check(); err != nil {
			return err
		}
		ops, records = ops+len(p.Ops)+len(p.Stamped), records+len(p.Records)
		stamped += len(p.Stamped)
		opBytes, recordBytes = opBytes+sizeOf(p.Ops)+sizeOf(p.Stamped), recordBytes+sizeOf(p.Records)
	}
	switch {
	case ops > MaxEffectOps:
		return tooLarge(fmt.Sprintf("%d writes, at most %d", ops, MaxEffectOps))
	case stamped > MaxStamped:
		return tooLarge(fmt.Sprintf("%d keys with a versionstamp, at most %d", stamped, MaxStamped))
	case opBytes > MaxEffectBytes:
		return tooLarge(fmt.Sprintf("%d bytes of keys and values, at most %d", opBytes, MaxEffectBytes))
	case records > MaxRecords || recordBytes > MaxRecordBytes:
		return tooLarge(fmt.Sprintf("%d records with %d bytes, at most %d with %d", records, recordBytes, MaxRecords, MaxRecordBytes))
	}
	return nil
}

func sizeOf(ops []Op) (size int) {
	for i := range ops {
		size += ops[i].Size()
	}
	return size
}

func (p *Part) check() error {
	switch {
	case !p.Space.Area().Known() || p.Space.Area() == AreaRecords:
		return invalid(fmt.Sprintf("a part has the space %#x, which is no area for it", uint64(p.Space)))
	case len(p.Records) > 0 && p.Space != p.Space.Owner():
		return invalid("a part of another area has records")
	case p.Quota.Keys < 0 || p.Quota.Bytes < 0:
		return invalid("a quota is negative")
	case len(p.Keys) > maxReadKeys || len(p.Ranges) > maxReadRanges:
		return tooLarge(fmt.Sprintf("%d keys and %d intervals were read, at most %d and %d are remembered", len(p.Keys), len(p.Ranges), maxReadKeys, maxReadRanges))
	}
	if err := checkOps(p.Ops, OpAdd); err != nil {
		return err
	}
	for i := range p.Stamped {
		op := &p.Stamped[i]
		if op.KeyStamp == 0 {
			return invalid("a write with a versionstamp has none in its key")
		}
		if err := op.check(OpSet); err != nil {
			return err
		}
	}
	return checkOps(p.Records, OpDelete)
}

// checkOps refuses writes that are malformed, out of order, of a kind above last,
// or with a stamp in the key.
func checkOps(ops []Op, last OpKind) error {
	for i := range ops {
		op := &ops[i]
		if err := op.check(last); err != nil {
			return err
		}
		switch {
		case op.KeyStamp != 0:
			return invalid("a key has a versionstamp where none may be")
		case i > 0 && bytes.Compare(ops[i-1].Key, op.Key) >= 0:
			return invalid("the writes are not in ascending order of key")
		}
	}
	return nil
}

// check refuses a write that is malformed or of a kind above last.
func (op *Op) check(last OpKind) error {
	switch {
	case len(op.Key) == 0:
		return invalid("a key is empty")
	case len(op.Key) > MaxKey || len(op.Value.Data) > MaxValue:
		return tooLarge("a key is over 1024 bytes or a value over 1 MiB")
	case op.Kind > last:
		return invalid("a write is of a kind that is unknown, or that it cannot have")
	case !op.KeyStamp.fits(op.Key) || !op.ValueStamp.fits(op.Value.Data):
		return invalid("a versionstamp is not within its key or value")
	case op.ValueStamp != 0 && op.Kind != OpSet:
		return invalid("a write that sets nothing has a versionstamp")
	}
	return nil
}

func invalid(message string) error { return fault.New(fault.Invalid, "commit", message) }

func tooLarge(what string) error {
	return fault.New(fault.TooLarge, "commit", "the effects are too large: "+what+"; nothing was done")
}
