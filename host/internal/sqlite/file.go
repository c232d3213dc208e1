package sqlite

import (
	"bytes"
	"encoding/binary"
	"io"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// PageSize is that of every database, in bytes.
const PageSize = 4096

// file is a database as SQLite sees it: its pages are keys of the transaction of the
// attempt that has the connection. What SQLite commits becomes writes of that
// transaction, all of one SQLite commit or none, and reaches the store with it.
//
// SQLite keeps pages between transactions as long as the 16 bytes from versionAt on
// are what they were, which begin with a counter that every commit of SQLite steps.
// Each attempt is shown a counter of its own, so that it reads every page that it
// uses from its transaction: that puts the page into the read set, and nothing of an
// attempt before is seen. Only a light attempt is shown the counter of the one before,
// if that has begun no change and nothing of the area has changed since: it depends on
// all pages of the database. The counter is taken out of what is written, so that page 1
// changes only with the size, the freelist or the schema of the database.
type file struct {
	tx      *store.Tx      // nil between attempts
	prefix  []byte         // of the keys of its pages
	after   []byte         // the key that follows them
	key     []byte         // of the page read or written last
	version uint32         // the counter that SQLite saw last
	first   []byte         // page 1 as SQLite sees it, nil = not read for this counter
	pages   uint32         // in the database; of use once first was read
	open    bool           // writes of a commit of SQLite have begun
	broken  bool           // and one failed: the rest is ignored
	over    bool           // the attempt ends: SQLite commits nothing any more
	held    bool           // the database takes no writes
	wrote   bool           // in this attempt
	again   bool           // pages that SQLite has kept from the attempt before are good
	since   store.Revision // the area is unchanged since then, and so are the pages that SQLite keeps; 0 = it keeps none of use
	foreign bool           // another connection has written in the transaction: SQLite may know of a schema that is never committed
	save    store.Savepoint
	failure error // the first of the transaction's in this attempt
}

// Where page 1 has what this package looks at; https://sqlite.org/fileformat.html.
const (
	versionAt  = 24 // change counter, size, and two of the freelist: 16 bytes
	sizeAt     = 28 // in pages
	schemaAt   = 40 // a number that every change of the schema steps
	validForAt = 92 // the change counter for which the size is valid
	versionLen = 16
)

// begin lets an attempt use the file.
func (f *file) begin(tx *store.Tx, held, light bool) {
	f.tx, f.held, f.wrote, f.over, f.failure = tx, held, false, false, nil
	f.again = false
	f.foreign = tx.Writes(f.prefix)
	since, err := tx.Since() // its first read fails, too
	if light && err == nil && since != 0 && since == f.since && !f.foreign {
		tx.Depend(f.prefix, f.after)
		f.again = true
		return
	}
	f.forget()
	if !f.foreign {
		f.since = since
	}
}

// forget has SQLite read every page again.
func (f *file) forget() {
	f.version++
	f.first, f.pages, f.since = nil, 0, 0
}

// end parts the file from the attempt.
func (f *file) end() { f.tx = nil }

// page returns the key of a page. It is good until the next call.
func (f *file) page(n uint32) []byte {
	f.key = binary.BigEndian.AppendUint32(append(f.key[:0], f.prefix...), n)
	return f.key
}

// ReadAt implements vfs.File.
func (f *file) ReadAt(b []byte, off int64) (int, error) {
	switch {
	case f.tx == nil: // it is being opened
		return 0, io.EOF
	case off == versionAt && len(b) == versionLen:
		return f.readVersion(b), nil
	case off < PageSize:
		first, err := f.readFirst()
		if err != nil || off >= int64(len(first)) {
			return 0, cmpEOF(err)
		}
		return short(copy(b, first[off:]), len(b))
	}
	data, ok, err := f.tx.Get(f.page(uint32(off/PageSize) + 1))
	if err != nil {
		return 0, f.fail(err, sqlite3.IOERR_READ)
	}
	if !ok || len(data) != PageSize {
		return 0, io.EOF
	}
	return short(copy(b, data[off%PageSize:]), len(b))
}

func short(n, of int) (int, error) {
	if n < of {
		return n, io.EOF
	}
	return n, nil
}

func cmpEOF(err error) error {
	if err == nil {
		return io.EOF
	}
	return err
}

// readVersion answers whether pages that SQLite has kept are still good. Before page 1
// was read, a new counter says that none is, whatever the rest.
func (f *file) readVersion(b []byte) int {
	if f.first != nil {
		return copy(b, f.first[versionAt:])
	}
	clear(b)
	binary.BigEndian.PutUint32(b, f.version)
	return len(b)
}

// readFirst returns page 1 as SQLite sees it in this attempt, empty if there is none.
func (f *file) readFirst() ([]byte, error) {
	if f.first != nil {
		return f.first, nil
	}
	data, ok, err := f.tx.Get(f.page(1))
	if err != nil {
		return nil, f.fail(err, sqlite3.IOERR_READ)
	}
	if !ok || len(data) != PageSize {
		return nil, nil
	}
	f.first = bytes.Clone(data)
	f.show()
	return f.first, nil
}

// show puts the attempt's counter into page 1.
func (f *file) show() {
	binary.BigEndian.PutUint32(f.first[versionAt:], f.version)
	binary.BigEndian.PutUint32(f.first[validForAt:], f.version)
	f.pages = binary.BigEndian.Uint32(f.first[sizeAt:])
}

// WriteAt implements vfs.File. SQLite writes whole pages.
func (f *file) WriteAt(b []byte, off int64) (int, error) {
	if f.broken {
		return len(b), nil
	}
	if f.tx == nil || f.over || len(b) != PageSize || off%PageSize != 0 {
		return 0, sqlite3.IOERR_WRITE
	}
	if err := f.start(); err != nil {
		return 0, err
	}
	n := uint32(off/PageSize) + 1
	if n == 1 {
		return f.writeFirst(b)
	}
	if err := f.tx.Set(f.page(n), b, 0); err != nil {
		return 0, f.undo(err)
	}
	f.pages = max(f.pages, n)
	return len(b), nil
}

// writeFirst writes page 1, unless only the counter has changed.
func (f *file) writeFirst(b []byte) (int, error) {
	version := binary.BigEndian.Uint32(b[versionAt:])
	if f.first != nil {
		binary.BigEndian.PutUint32(f.first[versionAt:], version)
		binary.BigEndian.PutUint32(f.first[validForAt:], version)
		if bytes.Equal(f.first, b) {
			f.version = version
			return len(b), nil
		}
	}
	f.first = append(f.first[:0], b...)
	binary.BigEndian.PutUint32(f.first[versionAt:], 0)
	binary.BigEndian.PutUint32(f.first[validForAt:], 0)
	err := f.tx.Set(f.page(1), f.first, 0)
	if err != nil {
		return 0, f.undo(err)
	}
	f.version = version
	f.show()
	return len(b), nil
}

// Truncate implements vfs.File.
func (f *file) Truncate(size int64) error {
	if f.broken {
		return nil
	}
	if f.tx == nil || f.over {
		return sqlite3.IOERR_TRUNCATE
	}
	if err := f.start(); err != nil {
		return err
	}
	for n := uint32(size/PageSize) + 1; n <= f.pages; n++ {
		if err := f.tx.Delete(f.page(n)); err != nil {
			return f.undo(err)
		}
	}
	f.pages = uint32(size / PageSize)
	return nil
}

// start begins to write what SQLite commits.
func (f *file) start() error {
	if !f.open {
		f.open, f.wrote, f.save = true, true, f.tx.Savepoint()
	}
	if f.held {
		return f.undo(errHeld)
	}
	return nil
}

var errHeld = fault.New(fault.Unavailable, "sql", "the database takes no writes for now: a migration or an import is under way")

// CommitPhaseTwo implements vfs.FileCommitPhaseTwo: all is written.
func (f *file) CommitPhaseTwo() error {
	if f.open && !f.broken {
		f.tx.Keep(f.save)
		f.open = false
	}
	return nil
}

// undo takes back what this commit of SQLite has written so far, and ignores what it
// writes to put back itself.
func (f *file) undo(err error) error {
	f.tx.Undo(f.save)
	f.open, f.broken = false, true
	f.forget()
	return f.fail(err, sqlite3.IOERR_WRITE)
}

// fail remembers why SQLite sees an error of its file.
func (f *file) fail(err error, code sqlite3.ExtendedErrorCode) error {
	if f.failure == nil {
		f.failure = err
	}
	return vfs.SystemError(err, code)
}

// Size implements vfs.File.
func (f *file) Size() (int64, error) {
	if f.tx == nil {
		return 0, nil
	}
	if _, err := f.readFirst(); err != nil {
		return 0, err
	}
	return int64(f.pages) * PageSize, nil
}

// Lock implements vfs.File: an attempt has the file for itself. Whoever locks it for more
// than reading begins to change pages.
func (f *file) Lock(level vfs.LockLevel) error {
	if level > vfs.LOCK_SHARED {
		f.since = 0
	}
	return nil
}

// Unlock implements vfs.File. A commit that has not come to its end is none.
func (f *file) Unlock(level vfs.LockLevel) error {
	if level != vfs.LOCK_NONE {
		return nil
	}
	if f.open {
		f.tx.Undo(f.save)
		f.open = false
		f.forget()
	}
	f.broken = false
	return nil
}

// CheckReservedLock implements vfs.File.
func (*file) CheckReservedLock() (bool, error) { return false, nil }

// Sync implements vfs.File: what is durable is decided by the commit of the attempt.
func (*file) Sync(vfs.SyncFlag) error { return nil }

// SectorSize implements vfs.File.
func (*file) SectorSize() int { return PageSize }

// DeviceCharacteristics implements vfs.File.
func (*file) DeviceCharacteristics() vfs.DeviceCharacteristic {
	return vfs.IOCAP_SEQUENTIAL | vfs.IOCAP_SAFE_APPEND | vfs.IOCAP_POWERSAFE_OVERWRITE
}

// Close implements vfs.File.
func (*file) Close() error { return nil }

// FirstPage returns page 1 of a file as it is kept: without the counter.
func FirstPage(page []byte) []byte {
	first := bytes.Clone(page)
	binary.BigEndian.PutUint32(first[versionAt:], 0)
	binary.BigEndian.PutUint32(first[validForAt:], 0)
	return first
}

// PagesOf returns how many pages a database has whose first page this is.
func PagesOf(first []byte) int64 {
	if len(first) != PageSize {
		return 0
	}
	return int64(binary.BigEndian.Uint32(first[sizeAt:]))
}

// schemaOf returns the number of the schema of a database whose first page this is.
func schemaOf(first []byte) uint32 {
	if len(first) != PageSize {
		return 0
	}
	return binary.BigEndian.Uint32(first[schemaAt:])
}
