package sqlite

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Entry says which pages are those of a database. Every attempt that uses one reads it, so
// that a change of it comes before or after all that an attempt does.
//
// In store.AreaSQL the entry's key is the name and a byte 0, and that of a page goes on
// with the generation and the number of the page, 4 bytes each, the higher first.
type Entry struct {
	Generation uint32 // of the pages; others are of no use, and are swept
	Held       bool   // it takes no writes: another generation of it is under way
}

// MaxName bounds the name of a database in bytes. It has no byte 0.
const MaxName = 63

const entryFormat = 1

// Find reads the entry of a database. One that nobody has written is the zero Entry.
func Find(tx *store.Tx, name string) (e Entry, err error) {
	data, ok, err := tx.Get(entryKey(name))
	if err != nil || !ok {
		return e, err
	}
	return decodeEntry(data)
}

// FindAt reads the entry of a database of a snapshot, in the area of databases of a space.
func FindAt(snap store.Snapshot, space store.Space, name string) (e Entry, err error) {
	v, ok, err := snap.Get(space, entryKey(name))
	if err != nil || !ok {
		return e, err
	}
	return decodeEntry(v.Data)
}

func decodeEntry(data []byte) (e Entry, err error) {
	if len(data) != 6 || data[0] != entryFormat {
		return e, fault.New(fault.Internal, "sql", "the entry of a database is damaged, or of a newer server")
	}
	return Entry{binary.BigEndian.Uint32(data[1:]), data[5] != 0}, nil
}

// Put writes the entry of a database.
func (e Entry) Put(tx *store.Tx, name string) error { return tx.Set(entryKey(name), e.encode(), 0) }

func (e Entry) encode() []byte {
	data := binary.BigEndian.AppendUint32([]byte{entryFormat}, e.Generation)
	if e.Held {
		return append(data, 1)
	}
	return append(data, 0)
}

func entryKey(name string) []byte { return append([]byte(name), 0) }

// Pages returns the keys of the pages of a generation: from the first up to to.
func Pages(name string, generation uint32) (from, to []byte) {
	from = pages(name, generation)
	if generation == math.MaxUint32 {
		return from, append([]byte(name), 1)
	}
	return from, pages(name, generation+1)
}

// Page returns the key of a page of a generation, and PageOf which page a key is of.
func Page(name string, generation, n uint32) []byte {
	return binary.BigEndian.AppendUint32(pages(name, generation), n)
}

// PageOf returns the number of the page that a key is of, and its generation.
func PageOf(key []byte) (generation, n uint32) {
	at := len(key) - 8
	if at < 0 { // no key of a page
		return 0, 0
	}
	return binary.BigEndian.Uint32(key[at:]), binary.BigEndian.Uint32(key[at+4:])
}

// NameOf returns the name of the database that a key belongs to, and whether it is the
// key of its entry.
func NameOf(key []byte) (name string, entry bool) {
	before, after, _ := bytes.Cut(key, []byte{0})
	return string(before), len(after) == 0
}

// pages returns what the keys of the pages of a generation begin with.
func pages(name string, generation uint32) []byte {
	return binary.BigEndian.AppendUint32(entryKey(name), generation)
}
