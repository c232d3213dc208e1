package sqlite

import (
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"
)

// files is how SQLite finds the file of a connection that is being opened. Nothing
// else ever has a name here: no file of the machine can be opened, and none of
// another connection.
type files struct {
	opening sync.Map // of name to *file
	last    atomic.Uint64
}

const vfsName = "wasmoor"

// opening has the files of all connections: SQLite has one list of such.
var opening = registered()

func registered() *files {
	fs := &files{}
	vfs.Register(vfsName, fs)
	return fs
}

// name gives f a name under which it can be opened once.
func (fs *files) name(f *file) string {
	name := strconv.FormatUint(fs.last.Add(1), 36)
	fs.opening.Store(name, f)
	return name
}

// Open implements vfs.VFS. OPEN_MEMORY has SQLite keep its journal in memory.
func (fs *files) Open(name string, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	f, ok := fs.opening.LoadAndDelete(name)
	if !ok || flags&vfs.OPEN_MAIN_DB == 0 {
		return nil, flags, sqlite3.CANTOPEN
	}
	return f.(*file), flags | vfs.OPEN_MEMORY, nil
}

// Delete implements vfs.VFS: there are no journals.
func (*files) Delete(string, bool) error { return sqlite3.IOERR_DELETE_NOENT }

// Access implements vfs.VFS: there are no journals.
func (*files) Access(string, vfs.AccessFlag) (bool, error) { return false, nil }

// FullPathname implements vfs.VFS.
func (*files) FullPathname(name string) (string, error) { return name, nil }
