package follower

import (
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/folder"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/layout"
)

// gap is how many revisions a store that goes on from an older state leaves out:
// more than the one before it can have given away since, so that no revision, and
// no stamp made of one, means two commits.
const gap store.Revision = 1 << 32

// Found makes the store one of its own that goes on from what was applied: with
// another id, and with revisions that the store it was copied from never had.
func (f *Follower) Found() error {
	revision := f.revision + gap
	txn := f.begin()
	defer txn.Discard()
	if err := txn.Set(layout.IDKey, folder.NewID()); err != nil {
		return broken(err)
	}
	if err := f.commit(txn, revision); err != nil {
		return err
	}
	f.revision = revision
	f.db.SetDiscardTs(uint64(revision))
	return nil
}
