// Package layout is what the store writes: the keys and values in Badger, and
// the number of their format. Only package store/badger and what is below it
// import it.
package layout

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Format is the number of the layout on disk. An older binary refuses a folder
// of a newer format.
const Format = 2

// The layout, format 2. Every key starts with a kind byte; spaces and
// times in keys are 8 bytes big-endian, so that they sort; numbers in values
// are little-endian.
//
//	01 "format"               u32 format
//	01 "id"                   16 random bytes, which the marker repeats
//	01 "revision"             u64 revision of the commit before; by each commit
//	02 space                  i64 keys, i64 bytes: what the space holds
//	03 space                  a dropped space: 00 while its keys are swept, 01 after
//	04 expires space hash     a key that expires: the key
//	10 space key              a value: its record
//	11 space hash             the end of a record longer than MaxInline
//
// In kinds 04, 10 and 11 the highest byte of the space is the area (store.Area).
// Format 1 had the areas 00 and 80 only (upgrade).
//
// A hash is SHA-256(key)[:16]; it bounds what a write with a long key takes in a
// batch. A record is a flag byte, 8 bytes of expiry (Unix ms) if flag 1 is set, and
// the data. Flag 2 says that the record goes on under kind 11: Badger puts
// values of 1 MiB and more into its value log, whose sync errors it only logs
// (value.go, write); so no value gets that long, and the value log stays empty.
const (
	KindMeta    = 0x01
	KindUsage   = 0x02
	KindDropped = 0x03
	KindExpiry  = 0x04
	KindData    = 0x10
	KindTail    = 0x11

	PrefixSize = 1 + 8 // kind and space
	hashSize   = 16
	TailSize   = PrefixSize + hashSize
	ExpirySize = 1 + 8 + 8 + hashSize

	flagExpires = 1 << 0
	flagTail    = 1 << 1

	ValueThreshold = 1 << 20 // Badger's largest
	MaxInline      = ValueThreshold - 1

	StillSweeping = 0
	Swept         = 1
)

// Keys of the store's own records.
var (
	FormatKey   = append([]byte{KindMeta}, "format"...)
	IDKey       = append([]byte{KindMeta}, "id"...)
	RevisionKey = append([]byte{KindMeta}, "revision"...)
)

// IDSize is that of a store's id, in bytes.
const IDSize = 16

// PreviousRevision returns the revision of the commit before that an entry was
// written by. In stores of older versions, entries do not say it.
func PreviousRevision(key, value []byte) (revision uint64, ok bool) {
	if len(value) != 8 || !bytes.Equal(key, RevisionKey) {
		return 0, false
	}
	return binary.LittleEndian.Uint64(value), true
}

// Key returns kind, space and key in one slice; key may be nil.
func Key(kind byte, space store.Space, key []byte) []byte {
	b := make([]byte, PrefixSize, PrefixSize+len(key))
	b[0] = kind
	binary.BigEndian.PutUint64(b[1:], uint64(space))
	return append(b, key...)
}

// TailKey returns where the record at dataKey goes on.
func TailKey(dataKey []byte) []byte {
	b := append(make([]byte, 0, TailSize), dataKey[:PrefixSize]...)
	b[0] = KindTail
	return appendHash(b, dataKey[PrefixSize:])
}

func appendHash(b, key []byte) []byte {
	sum := sha256.Sum256(key)
	return append(b, sum[:hashSize]...)
}

// End returns the least key behind all of a space.
func End(kind byte, space store.Space) []byte {
	if space == ^store.Space(0) {
		return []byte{kind + 1}
	}
	return Key(kind, space+1, nil)
}

// SpaceOf returns the space in a key of any kind but KindMeta and KindExpiry.
func SpaceOf(key []byte) store.Space {
	return store.Space(binary.BigEndian.Uint64(key[1:PrefixSize]))
}

// ExpiryKey returns the entry of a key that expires.
func ExpiryKey(expires int64, space store.Space, key []byte) []byte {
	b := make([]byte, 0, ExpirySize)
	b = append(b, KindExpiry)
	b = binary.BigEndian.AppendUint64(b, uint64(expires))
	b = binary.BigEndian.AppendUint64(b, uint64(space))
	return appendHash(b, key)
}

// ParseExpiryKey reads an ExpiryKey.
func ParseExpiryKey(b []byte) (expires int64, space store.Space, ok bool) {
	if len(b) != ExpirySize || b[0] != KindExpiry {
		return 0, 0, false
	}
	return int64(binary.BigEndian.Uint64(b[1:])), store.Space(binary.BigEndian.Uint64(b[9:])), true
}

// EncodeRecord returns the record of v, its end apart when it is too long.
func EncodeRecord(v store.Value) (record, tail []byte) {
	b := make([]byte, 1, 1+8+len(v.Data))
	if v.Expires != 0 {
		b[0] |= flagExpires
		b = binary.LittleEndian.AppendUint64(b, uint64(v.Expires))
	}
	b = append(b, v.Data...)
	if len(b) <= MaxInline {
		return b, nil
	}
	b[0] |= flagTail
	return b[:MaxInline:MaxInline], b[MaxInline:]
}

// StampRecord puts a revision into the data of a record, if stamp is anywhere.
func StampRecord(record, tail []byte, stamp store.Stamp, revision store.Revision) {
	if stamp == 0 {
		return
	}
	at := int(stamp) // after the flags
	if record[0]&flagExpires != 0 {
		at += 8
	}
	b := binary.BigEndian.AppendUint64(nil, uint64(revision))
	if n := copy(record[min(at, len(record)):], b); n < len(b) {
		copy(tail[max(at-len(record), 0):], b[n:])
	}
}

// DecodeRecord returns the value of a record, sharing its memory, and whether
// its data goes on in a tail.
func DecodeRecord(b []byte) (v store.Value, tail bool, err error) {
	if len(b) == 0 || b[0]&^(flagExpires|flagTail) != 0 {
		return v, false, ErrRecord
	}
	flags, data := b[0], b[1:]
	if flags&flagExpires != 0 {
		if len(data) < 8 {
			return v, false, ErrRecord
		}
		v.Expires = int64(binary.LittleEndian.Uint64(data))
		data = data[8:]
	}
	v.Data = data
	return v, flags&flagTail != 0, nil
}

// ErrRecord is the error of a stored record that is none.
var ErrRecord = fault.New(fault.Internal, "read record", "a stored record is malformed; the data directory is damaged")

// EncodeUsage returns a usage record.
func EncodeUsage(u store.Usage) []byte {
	b := binary.LittleEndian.AppendUint64(make([]byte, 0, 16), uint64(u.Keys))
	return binary.LittleEndian.AppendUint64(b, uint64(u.Bytes))
}

// DecodeUsage reads a usage record.
func DecodeUsage(b []byte) (u store.Usage, ok bool) {
	if len(b) != 16 {
		return u, false
	}
	return store.Usage{
		Keys:  int64(binary.LittleEndian.Uint64(b)),
		Bytes: int64(binary.LittleEndian.Uint64(b[8:])),
	}, true
}

// EncodeFormat returns a format record.
func EncodeFormat(n uint32) []byte { return binary.LittleEndian.AppendUint32(nil, n) }

// DecodeFormat reads a format record.
func DecodeFormat(b []byte) (n uint32, ok bool) {
	if len(b) != 4 {
		return 0, false
	}
	return binary.LittleEndian.Uint32(b), true
}

// WellFormed reports whether an entry is one of the layout's.
func WellFormed(key, value []byte, deleted bool) bool {
	if deleted {
		return len(key) > 0
	}
	ok := len(key) > PrefixSize-1
	switch {
	case len(key) == 0:
		return false
	case key[0] == KindMeta:
		return true
	case key[0] == KindUsage && ok:
		_, ok = DecodeUsage(value)
	case key[0] == KindDropped && ok:
		ok = len(value) == 1
	case key[0] == KindExpiry:
		var space store.Space
		_, space, ok = ParseExpiryKey(key)
		ok = ok && space.Area().Known()
	case key[0] == KindData && ok:
		_, _, err := DecodeRecord(value)
		ok = err == nil && SpaceOf(key).Area().Known()
	case key[0] == KindTail:
		ok = len(key) == TailSize && SpaceOf(key).Area().Known()
	default:
		ok = false
	}
	return ok
}

// IsLong reports whether the record of a value goes on in a tail.
func IsLong(size, expires int64) bool {
	head := int64(1)
	if expires != 0 {
		head += 8
	}
	return head+size > MaxInline
}

// CommonPrefix returns what two keys begin with.
func CommonPrefix(a, b []byte) []byte {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return a[:n]
}
