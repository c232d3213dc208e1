package sqlite

import (
	"encoding/binary"

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
	if len(data) != 6 || data[0] != entryFormat {
		return e, fault.New(fault.Internal, "sql", "the entry of a database is damaged, or of a newer server")
	}
	return Entry{binary.BigEndian.Uint32(data[1:]), data[5] != 0}, nil
}

// Put writes the entry of a database.
func (e Entry) Put(tx *store.Tx, name string) error {
	data := binary.BigEndian.AppendUint32([]byte{entryFormat}, e.Generation)
	if e.Held {
		data = append(data, 1)
	} else {
		data = append(data, 0)
	}
	return tx.Set(entryKey(name), data, 0)
}

func entryKey(name string) []byte { return append([]byte(name), 0) }

// pages returns what the keys of the pages of a generation begin with.
func pages(name string, generation uint32) []byte {
	return binary.BigEndian.AppendUint32(entryKey(name), generation)
}
