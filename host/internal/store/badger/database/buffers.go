package database

import (
	"os"
	"path/filepath"
	"reflect"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/ristretto/v2/z"
)

// Badger has what it writes to a table in memory first, in pieces of which each
// is twice as large as the one before: more than 200 MiB for a memtable of values
// over a block. It keeps eight such buffers for the next tables, whatever their
// size, and gives up one every two seconds in which it made no table. Under load
// that is never, and they took two gigabytes.

// tableFiles is about how many tables a store has, at most until it is opened
// again: each has a descriptor and a mapping, of which a process has some ten
// thousands.
const tableFiles = 4096

// minTable is the size of tables below that, in bytes. Badger makes up to 13 at
// a time in each compaction, and has up to six times their size for each.
const minTable = 2 << 20

// tableSize returns the size of the tables that a store in dir is to make.
func tableSize(dir string) int64 {
	tables, _ := filepath.Glob(filepath.Join(dir, "*.sst")) // the pattern is good
	var total int64
	for _, name := range tables {
		if info, err := os.Stat(name); err == nil {
			total += info.Size()
		}
	}
	size := int64(minTable)
	for size*tableFiles < total {
		size *= 2
	}
	return size
}

// Buffers are those that Badger keeps.
type Buffers struct{ pool *z.AllocatorPool }

// BuffersOf returns those of a database. Badger has no function for it; the field
// is set when it is opened, and stays.
func BuffersOf(db *badger.DB) Buffers {
	return Buffers{(*z.AllocatorPool)(reflect.ValueOf(db).Elem().FieldByName("allocPool").UnsafePointer())}
}

// Drop leaves them to the collector. Not once the database is closed.
func (b Buffers) Drop() {
	for {
		a := b.pool.Get(0, "")
		made := a.Allocated() <= leastBuffer // as there was none
		a.Release()
		if made {
			return
		}
	}
}

// leastBuffer is the size of a buffer that Get makes for no bytes.
const leastBuffer = 512
