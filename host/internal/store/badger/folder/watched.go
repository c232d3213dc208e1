package folder

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/dgraph-io/badger/v4"
)

// Watched is the store's folder under watch: whether it is there, and whether
// anybody else writes to its tables.
type Watched struct {
	dir    string
	self   os.FileInfo
	tables map[string]os.FileInfo
}

// Watch begins to watch dir, whose tables are as they should be.
func Watch(dir string) *Watched {
	self, _ := os.Stat(dir) // a nil is no folder's, and reported
	f := &Watched{dir: dir, self: self}
	f.Changed()
	return f
}

// Present reports whether the path still leads to the folder of before, with a
// store in it.
func (f *Watched) Present() bool {
	self, err := os.Stat(f.dir)
	if err != nil || !os.SameFile(self, f.self) {
		return false
	}
	_, err = os.Stat(filepath.Join(f.dir, badger.ManifestFilename))
	return err == nil
}

// Changed returns the tables that are not as they were when first seen. Badger
// never writes to one that is listed.
func (f *Watched) Changed() (names []string) {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return nil
	}
	seen := make(map[string]os.FileInfo, len(f.tables))
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".sst") {
			continue
		}
		now, err := e.Info()
		if err != nil {
			continue // deleted meanwhile
		}
		seen[e.Name()] = now
		if before, ok := f.tables[e.Name()]; ok && (before.Size() != now.Size() || !before.ModTime().Equal(now.ModTime())) {
			names = append(names, e.Name())
		}
	}
	for name := range f.tables {
		if _, ok := seen[name]; !ok {
			names = append(names, name) // deleted by Badger, or by somebody else
		}
	}
	f.tables = seen
	return names
}
