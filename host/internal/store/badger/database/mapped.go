package database

import (
	"reflect"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/ristretto/v2/z"
)

// Mapped is the file that Badger appends writes to, through a memory map. The system
// reads ahead where such a file grows, in pieces that grow up to megabytes, and some
// file systems write a piece as a whole of which a byte has changed: a commit of 100
// bytes wrote 64 KiB. Files that are said to be read at random get single pages.
type Mapped struct {
	db   *badger.DB
	last uintptr // where the file before is mapped
}

// MappedOf returns that of a database.
func MappedOf(db *badger.DB) Mapped { return Mapped{db: db} }

// Advise tells the system about the file if that is a new one. The caller does not write
// meanwhile. Badger has no function for it: the fields are set as it makes a memtable.
func (m *Mapped) Advise() {
	log := reflect.ValueOf(m.db).Elem().FieldByName("mt").Elem().FieldByName("wal").Elem()
	data := (*z.MmapFile)(log.FieldByName("MmapFile").UnsafePointer()).Data
	at := reflect.ValueOf(data).Pointer()
	if at == m.last {
		return
	}
	m.last = at
	_ = z.Madvise(data, false) // it is advice
}
