// Package follower puts what a store has passed on (store/stream) into a folder in
// which a store may be opened later. It decides nothing. Packages that make a data folder
// import it, and blob/cargo, which reads entries.
package follower

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/database"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/folder"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/layout"
	"github.com/wasmoor/wasmoor/host/internal/store/stream"
)

// Follower is a store that takes groups. Not safe for concurrent use.
type Follower struct {
	db       *badger.DB
	buffers  database.Buffers
	revision store.Revision
}

// Open opens the folder dir, or makes one. Close it. Errors: those of opening a
// store.
func Open(dir string, log *slog.Logger) (*Follower, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fault.Wrap(fault.Unavailable, "open store", fmt.Sprintf("cannot make directory %q", dir), err)
	}
	if err := folder.Check(folder.Config{Dir: dir, Clock: time.Now, Logger: log}); err != nil {
		return nil, err
	}
	// Nothing is acknowledged: what is lost is fetched again, and Sync says up to where.
	db, err := database.Open(database.Options(dir, quiet{log}).WithSyncWrites(false))
	if err != nil {
		return nil, database.CannotOpen(dir, err)
	}
	f := &Follower{db: db, buffers: database.BuffersOf(db), revision: store.Revision(db.MaxVersion())}
	db.SetDiscardTs(uint64(f.revision))
	return f, nil
}

// Revision returns that of the last group, as far as the folder knows: one that was
// cut short may be there in part, and is to be applied again.
func (f *Follower) Revision() store.Revision { return f.revision }

// ID returns the id of the store that was copied.
func (f *Follower) ID() (id string, err error) {
	txn := f.db.NewTransactionAt(f.db.MaxVersion(), false)
	defer txn.Discard()
	item, err := txn.Get(layout.IDKey)
	if err == nil {
		err = item.Value(func(b []byte) error {
			id = hex.EncodeToString(b)
			return nil
		})
	}
	if err != nil {
		return "", fault.Wrap(fault.Invalid, "follow", "the store's folder has no id", err)
	}
	return id, nil
}

// Apply puts a group in. What it changes is the same however often that is done.
// Errors: those of g, Unavailable (the disk).
func (f *Follower) Apply(ctx context.Context, g stream.Group) error {
	txn := f.begin()
	defer func() { txn.Discard() }()
	for e, err := range g.Entries {
		if err != nil {
			return err
		}
		err = put(txn, e)
		if errors.Is(err, badger.ErrTxnTooBig) {
			if err = f.commit(txn, g.Revision); err != nil {
				return err
			}
			f.buffers.Drop()
			txn = f.begin()
			err = cmp.Or(ctx.Err(), put(txn, e))
		}
		if err != nil {
			return broken(err)
		}
	}
	if err := f.commit(txn, g.Revision); err != nil {
		return err
	}
	f.revision = g.Revision
	f.db.SetDiscardTs(uint64(g.Revision))
	return nil
}

func (f *Follower) begin() *badger.Txn {
	return f.db.NewTransactionAt(f.db.MaxVersion(), true)
}

func (f *Follower) commit(txn *badger.Txn, revision store.Revision) error {
	if err := txn.CommitAt(uint64(revision), nil); err != nil {
		return broken(err)
	}
	return nil
}

func put(txn *badger.Txn, e stream.Entry) error {
	if e.Value == nil {
		return txn.Delete(e.Key)
	}
	return txn.Set(e.Key, e.Value)
}

func broken(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fault.Wrap(fault.Unavailable, "follow", "cannot write to the store's folder", err)
}

// Sync makes durable what was applied.
func (f *Follower) Sync() error {
	f.buffers.Drop()
	if err := f.db.Sync(); err != nil {
		return broken(err)
	}
	return nil
}

// Close makes all durable and closes the files.
func (f *Follower) Close() error {
	if err := f.db.Close(); err != nil {
		return broken(err)
	}
	return nil
}

// quiet passes on what Badger calls errors and warnings.
type quiet struct{ log *slog.Logger }

func (q quiet) Errorf(format string, args ...any)   { q.write(format, args) }
func (q quiet) Warningf(format string, args ...any) { q.write(format, args) }
func (quiet) Infof(string, ...any)                  {}
func (quiet) Debugf(string, ...any)                 {}

func (q quiet) write(format string, args []any) {
	q.log.Warn("badger: " + strings.TrimSpace(fmt.Sprintf(format, args...)))
}
