package badger

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
//	11 space hash             the end of a record longer than maxInline
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
	kindMeta    = 0x01
	kindUsage   = 0x02
	kindDropped = 0x03
	kindExpiry  = 0x04
	kindData    = 0x10
	kindTail    = 0x11

	prefixSize = 1 + 8 // kind and space
	hashSize   = 16
	tailSize   = prefixSize + hashSize
	expirySize = 1 + 8 + 8 + hashSize

	flagExpires = 1 << 0
	flagTail    = 1 << 1

	valueThreshold = 1 << 20 // Badger's largest
	maxInline      = valueThreshold - 1

	stillSweeping = 0
	swept         = 1
)

var (
	formatKey   = append([]byte{kindMeta}, "format"...)
	idKey       = append([]byte{kindMeta}, "id"...)
	revisionKey = append([]byte{kindMeta}, "revision"...)
)

const idSize = 16

// previousRevision returns the revision of the commit before that an entry was
// written by. In stores of older versions, entries do not say it.
func previousRevision(key, value []byte) (revision uint64, ok bool) {
	if len(value) != 8 || !bytes.Equal(key, revisionKey) {
		return 0, false
	}
	return binary.LittleEndian.Uint64(value), true
}

// spaceKey returns kind, space and key in one slice; key may be nil.
func spaceKey(kind byte, space store.Space, key []byte) []byte {
	b := make([]byte, prefixSize, prefixSize+len(key))
	b[0] = kind
	binary.BigEndian.PutUint64(b[1:], uint64(space))
	return append(b, key...)
}

// tailKey returns where the record at dataKey goes on.
func tailKey(dataKey []byte) []byte {
	b := append(make([]byte, 0, tailSize), dataKey[:prefixSize]...)
	b[0] = kindTail
	return appendHash(b, dataKey[prefixSize:])
}

func appendHash(b, key []byte) []byte {
	sum := sha256.Sum256(key)
	return append(b, sum[:hashSize]...)
}

// spaceEnd returns the least key behind all of a space.
func spaceEnd(kind byte, space store.Space) []byte {
	if space == ^store.Space(0) {
		return []byte{kind + 1}
	}
	return spaceKey(kind, space+1, nil)
}

func spaceOf(key []byte) store.Space {
	return store.Space(binary.BigEndian.Uint64(key[1:prefixSize]))
}

func expiryKey(expires int64, space store.Space, key []byte) []byte {
	b := make([]byte, 0, expirySize)
	b = append(b, kindExpiry)
	b = binary.BigEndian.AppendUint64(b, uint64(expires))
	b = binary.BigEndian.AppendUint64(b, uint64(space))
	return appendHash(b, key)
}

func parseExpiryKey(b []byte) (expires int64, space store.Space, ok bool) {
	if len(b) != expirySize || b[0] != kindExpiry {
		return 0, 0, false
	}
	return int64(binary.BigEndian.Uint64(b[1:])), store.Space(binary.BigEndian.Uint64(b[9:])), true
}

// encodeRecord returns the record of v, its end apart when it is too long.
func encodeRecord(v store.Value) (record, tail []byte) {
	b := make([]byte, 1, 1+8+len(v.Data))
	if v.Expires != 0 {
		b[0] |= flagExpires
		b = binary.LittleEndian.AppendUint64(b, uint64(v.Expires))
	}
	b = append(b, v.Data...)
	if len(b) <= maxInline {
		return b, nil
	}
	b[0] |= flagTail
	return b[:maxInline:maxInline], b[maxInline:]
}

// decodeRecord returns the value of a record, sharing its memory, and whether
// its data goes on in a tail.
func decodeRecord(b []byte) (v store.Value, tail bool, err error) {
	if len(b) == 0 || b[0]&^(flagExpires|flagTail) != 0 {
		return v, false, errRecord
	}
	flags, data := b[0], b[1:]
	if flags&flagExpires != 0 {
		if len(data) < 8 {
			return v, false, errRecord
		}
		v.Expires = int64(binary.LittleEndian.Uint64(data))
		data = data[8:]
	}
	v.Data = data
	return v, flags&flagTail != 0, nil
}

var errRecord = fault.New(fault.Internal, "read record", "a stored record is malformed; the data directory is damaged")

func encodeUsage(u store.Usage) []byte {
	b := binary.LittleEndian.AppendUint64(make([]byte, 0, 16), uint64(u.Keys))
	return binary.LittleEndian.AppendUint64(b, uint64(u.Bytes))
}

func decodeUsage(b []byte) (u store.Usage, ok bool) {
	if len(b) != 16 {
		return u, false
	}
	return store.Usage{
		Keys:  int64(binary.LittleEndian.Uint64(b)),
		Bytes: int64(binary.LittleEndian.Uint64(b[8:])),
	}, true
}

func encodeFormat(n uint32) []byte { return binary.LittleEndian.AppendUint32(nil, n) }

func decodeFormat(b []byte) (n uint32, ok bool) {
	if len(b) != 4 {
		return 0, false
	}
	return binary.LittleEndian.Uint32(b), true
}
