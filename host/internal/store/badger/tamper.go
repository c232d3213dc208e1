package badger

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dgraph-io/badger/v4"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/inspect"
)

// watched is the store's folder under watch: whether it is there, and whether
// anybody else writes to its tables.
type watched struct {
	dir    string
	self   os.FileInfo
	tables map[string]os.FileInfo
}

func watchFolder(dir string) *watched {
	self, _ := os.Stat(dir) // a nil is no folder's, and reported
	f := &watched{dir: dir, self: self}
	f.changed() // as the start has verified them
	return f
}

// watch notices within a second that the folder is gone, or that another
// program wrote to a table: from then on nothing is acknowledged.
func (j *janitor) watch() {
	s, f := j.store, j.folder
	if err := s.watermark.Sync(); err != nil {
		s.setFailure(err)
	}
	if s.failure() != nil {
		return
	}
	if !f.present() {
		s.lost(f.dir)
		return
	}
	changed := f.changed()
	if len(changed) == 0 {
		return
	}
	tables, _ := inspect.Tables(f.dir) // the scrub reports the error
	for _, t := range tables {
		if !slices.Contains(changed, t.Name) {
			continue
		}
		if err := s.scrub.read(context.Background(), t, nil); err != nil {
			s.scrub.report(t.Name, err)
		}
	}
}

// present reports whether the path still leads to the folder of before, with a
// store in it.
func (f *watched) present() bool {
	self, err := os.Stat(f.dir)
	if err != nil || !os.SameFile(self, f.self) {
		return false
	}
	_, err = os.Stat(filepath.Join(f.dir, badger.ManifestFilename))
	return err == nil
}

// changed returns the tables that are not as they were when first seen. Badger
// never writes to one that is listed.
func (f *watched) changed() (names []string) {
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

// lost notes that the folder is gone under the store.
func (s *Store) lost(dir string) {
	if s.failed.CompareAndSwap(nil, errLost) {
		s.log.Error("the folder of the store was deleted, moved or exchanged while the server runs: nothing is written any more. Stop the server and restore a backup of the data directory", "dir", dir)
	}
}

var errLost = fault.Wrap(fault.Unavailable, "commit", "the store's folder is gone from under the program; nothing was done", fs.ErrNotExist)
