// Package names is the names of blobs: entries of a plugin's key space, read and written
// in the transaction of a request. The capability, the sweep and what shows them import
// it.
package names

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"

	"github.com/wasmoor/wasmoor/host/internal/blob"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Keys of the area. A counter is of all names of the space.
const kindName = 'n'

var countKey, bytesKey = []byte("c/count"), []byte("c/bytes")

func nameKey(name []byte) []byte { return append([]byte{kindName}, name...) }

// Record is what a name has.
type Record struct {
	Digest   blob.Digest
	Size     int64
	Created  int64 // Unix milliseconds
	Type     string
	Metadata []byte
}

// format begins a record.
const format = 1

const fixed = 1 + len(blob.Digest{}) + 8 + 8 + 1 // without the type and the metadata

func (r *Record) encode() []byte {
	b := make([]byte, 0, fixed+len(r.Type)+len(r.Metadata))
	b = append(append(b, format), r.Digest[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Size))
	b = binary.BigEndian.AppendUint64(b, uint64(r.Created))
	b = append(append(b, byte(len(r.Type))), r.Type...)
	return append(b, r.Metadata...)
}

// decode copies nothing but the type.
func decode(b []byte) (r Record, err error) {
	if len(b) < fixed || b[0] != format || len(b) < fixed+int(b[fixed-1]) {
		return r, fault.New(fault.Internal, "read blob name", fmt.Sprintf("a record of %d bytes is damaged", len(b)))
	}
	rest := b[1+copy(r.Digest[:], b[1:]):]
	r.Size, r.Created = int64(binary.BigEndian.Uint64(rest)), int64(binary.BigEndian.Uint64(rest[8:]))
	if r.Size < 0 {
		return r, fault.New(fault.Internal, "read blob name", fmt.Sprintf("a record is damaged: it says that the blob has %d bytes", r.Size))
	}
	typed := b[fixed:]
	r.Type, r.Metadata = string(typed[:b[fixed-1]]), typed[b[fixed-1]:]
	return r, nil
}

// Quota bounds the names of a plugin, and the bytes of the blobs they name. A blob with
// two names counts twice.
type Quota struct{ Count, Bytes int64 }

// Usage is how much of a quota is used.
type Usage = Quota

// Part returns the part of a transaction where the names of a space are. The functions
// below act on it.
func Part(tx *store.Tx, space store.Space) *store.Tx {
	return tx.Part(space.In(store.AreaBlobs), store.Quota{})
}

// Get returns what a name has. Metadata is valid until the next call on the transaction.
func Get(part *store.Tx, name []byte) (Record, bool, error) {
	return get(part, name, (*store.Tx).Get)
}

// Look returns what a name has, and is no read of the transaction.
func Look(part *store.Tx, name []byte) (Record, bool, error) {
	return get(part, name, (*store.Tx).GetUntracked)
}

func get(part *store.Tx, name []byte, read func(*store.Tx, []byte) ([]byte, bool, error)) (Record, bool, error) {
	data, ok, err := read(part, nameKey(name))
	if !ok || err != nil {
		return Record{}, false, err
	}
	r, err := decode(data)
	return r, err == nil, err
}

// near says of which part of a quota on the usage is read so that another request that
// changes it is a conflict.
const near = 8

// used returns the usage as of the transaction. Far below the quota that is no read of it:
// requests that put under different names do not conflict. What those that run at the
// same time put beyond the last eighth is over the quota then; within that eighth each
// sees what those before it have put.
func used(part *store.Tx, q Quota) (u Usage, err error) {
	read := (*store.Tx).GetUntracked
	for range 2 {
		if u.Count, err = counter(part, countKey, read); err != nil {
			return u, err
		}
		if u.Bytes, err = counter(part, bytesKey, read); err != nil {
			return u, err
		}
		if u.Count < q.Count-q.Count/near && u.Bytes < q.Bytes-q.Bytes/near {
			break
		}
		read = (*store.Tx).Get
	}
	return u, nil
}

func counter(part *store.Tx, key []byte, read func(*store.Tx, []byte) ([]byte, bool, error)) (int64, error) {
	data, ok, err := read(part, key)
	if !ok || err != nil {
		return 0, err
	}
	n, _ := store.CounterOf(data)
	return n, nil
}

// Room returns how many bytes another blob may have, at least 0.
func Room(part *store.Tx, q Quota) (int64, error) {
	u, err := used(part, q)
	return max(q.Bytes-u.Bytes, 0), err
}

// Put gives a blob a name, in place of another that has it, whose record it returns if
// there was one. Exhausted: the quota is full.
func Put(part *store.Tx, name []byte, r *Record, q Quota) (before Record, had bool, err error) {
	if before, had, err = Get(part, name); err != nil {
		return before, false, err
	}
	u, err := used(part, q)
	if err != nil {
		return before, false, err
	}
	var more Usage
	more.Bytes = r.Size
	if had {
		more.Bytes -= before.Size
	} else {
		more.Count = 1
	}
	switch {
	case more.Count > 0 && u.Count+more.Count > q.Count:
		return before, false, full(fmt.Sprintf("the plugin has %d names of blobs, and may have %d (blobs.count)", u.Count, q.Count))
	case more.Bytes > 0 && u.Bytes+more.Bytes > q.Bytes:
		return before, false, full(fmt.Sprintf("the blobs have %d bytes, this one takes %d more, and all may have %d (blobs.bytes)", u.Bytes, more.Bytes, q.Bytes))
	}
	if err := part.Set(nameKey(name), r.encode(), 0); err != nil {
		return before, false, err
	}
	return before, had, add(part, more)
}

func full(why string) error { return fault.New(fault.Exhausted, "put blob", why) }

// Delete removes a name, and returns what it had if it was there.
func Delete(part *store.Tx, name []byte) (before Record, had bool, err error) {
	if before, had, err = Get(part, name); !had || err != nil {
		return before, false, err
	}
	if err := part.Delete(nameKey(name)); err != nil {
		return before, false, err
	}
	return before, true, add(part, Usage{Count: -1, Bytes: -before.Size})
}

func add(part *store.Tx, more Usage) error {
	for _, c := range []struct {
		key []byte
		by  int64
	}{{countKey, more.Count}, {bytesKey, more.Bytes}} {
		if c.by == 0 {
			continue
		}
		if err := part.Add(c.key, c.by); err != nil {
			return err
		}
	}
	return nil
}

// List calls yield for each name of q, which is about names, until it returns false. Both
// are valid within the call.
func List(part *store.Tx, q store.Query, yield func(name []byte, r *Record) bool) error {
	q.Prefix = nameKey(q.Prefix)
	if q.After != nil {
		q.After = nameKey(q.After)
	}
	var bad error
	err := part.List(q, func(key, data []byte) bool {
		var r Record
		if r, bad = decode(data); bad != nil {
			return false
		}
		return yield(key[1:], &r)
	})
	if err == nil {
		err = bad
	}
	return err
}

// Digests calls yield for each blob that a name of a space has, as of a snapshot, until it
// returns false. A damaged record whose digest can be read counts: what it names stays.
// Where the digest cannot be read the error names the name.
func Digests(snap store.Snapshot, space store.Space, yield func(blob.Digest) bool) error {
	var bad error
	err := snap.Scan(space.In(store.AreaBlobs), []byte{kindName}, []byte{kindName + 1}, false, func(key []byte, v store.Value) bool {
		d, ok := DigestOf(key, v.Data)
		if !ok {
			bad = fault.New(fault.Internal, "read blob name", fmt.Sprintf("the record of %.80q is damaged: which blob it names is not known", key[1:]))
			return false
		}
		return yield(d)
	})
	if err == nil {
		err = bad
	}
	return err
}

// IsCounter reports whether a key of the area is one of Counters.
func IsCounter(key []byte) bool { return bytes.Equal(key, countKey) || bytes.Equal(key, bytesKey) }

// Counters are the entries that say how much the names of a space use.
func Counters(u Usage) []store.Op {
	op := func(key []byte, n int64) store.Op {
		return store.Op{Kind: store.OpSet, Key: key, Value: store.Value{Data: store.AppendCounter(nil, n)}}
	}
	return []store.Op{op(bytesKey, u.Bytes), op(countKey, u.Count)}
}

// DigestOf returns which blob an entry of the area names, of a damaged one too as far as
// it can be read. ok is false for a counter.
func DigestOf(key, value []byte) (d blob.Digest, ok bool) {
	if len(key) == 0 || key[0] != kindName || len(value) < 1+len(d) || value[0] != format {
		return d, false
	}
	copy(d[:], value[1:])
	return d, true
}

// UsageOf returns how much the names of a space use, as of a snapshot.
func UsageOf(snap store.Snapshot, space store.Space) (u Usage, err error) {
	read := func(key []byte) (n int64) {
		v, ok, wrong := snap.Get(space.In(store.AreaBlobs), key)
		if ok {
			n, _ = store.CounterOf(v.Data)
		}
		err = cmp.Or(err, wrong)
		return n
	}
	u = Usage{Count: read(countKey), Bytes: read(bytesKey)}
	return u, err
}

// Decode reads an entry of the area. named is false for a counter. Metadata is of value.
// Errors: Internal (the entry is damaged).
func Decode(key, value []byte) (r Record, named bool, err error) {
	if len(key) == 0 || key[0] != kindName {
		return Record{}, false, nil
	}
	r, err = decode(value)
	return r, err == nil, err
}
