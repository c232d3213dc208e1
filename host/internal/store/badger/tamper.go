package badger

import (
	"context"
	"io/fs"
	"slices"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/inspect"
)

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
	if !f.Present() {
		s.lost(s.dir)
		return
	}
	changed := f.Changed()
	if len(changed) == 0 {
		return
	}
	tables, _ := inspect.Tables(s.dir) // the scrub reports the error
	for _, t := range tables {
		if !slices.Contains(changed, t.Name) {
			continue
		}
		if err := s.scrub.read(context.Background(), t, nil); err != nil {
			s.scrub.report(t.Name, err)
		}
	}
}

// lost notes that the folder is gone under the store.
func (s *Store) lost(dir string) {
	if s.failed.CompareAndSwap(nil, errLost) {
		s.log.Error("the folder of the store was deleted, moved or exchanged while the server runs: nothing is written any more. Stop the server and restore a backup of the data directory", "dir", dir)
	}
}

var errLost = fault.Wrap(fault.Unavailable, "commit", "the store's folder is gone from under the program; nothing was done", fs.ErrNotExist)
