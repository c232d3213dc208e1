// Package database opens Badger as the store wants it. Package store/badger and
// what is below it import it, and package host, to compact a store.
package database

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/layout"
)

// Open makes a panic of Badger's own an error. The folder was checked, and
// what it found is whole; this is for what changed meanwhile.
func Open(o badger.Options) (db *badger.DB, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	return badger.OpenManaged(o)
}

// CannotOpen says what to do about an error of Badger's, which tells its kinds
// apart by text.
func CannotOpen(dir string, err error) error {
	text := err.Error()
	switch {
	case strings.Contains(text, "Another process is using this Badger database"):
		return fault.Wrap(fault.Unavailable, "open store", fmt.Sprintf("another process is using %q; stop it, or choose another data directory", dir), err)
	case errors.Is(err, fs.ErrPermission), strings.Contains(text, "permission denied"), strings.Contains(text, "read-only file system"):
		return fault.Wrap(fault.Unavailable, "open store", fmt.Sprintf("the directory %q cannot be written to", dir), err)
	}
	return fault.Wrap(fault.Invalid, "open store", fmt.Sprintf("the store in %q is damaged; restore a backup", dir), err)
}

// Options set Badger up for an embedded server: durable, no conflict detection and
// no metrics of its own, memory in proportion.
func Options(dir string, log badger.Logger) badger.Options {
	o := badger.DefaultOptions(dir).
		WithSyncWrites(true).
		WithDetectConflicts(false).
		WithMetricsEnabled(false).
		WithChecksumVerificationMode(options.OnBlockRead).
		WithMemTableSize(memTableSize).
		WithBaseTableSize(tableSize(dir)).
		WithNumMemtables(1).
		WithNumLevelZeroTables(2).
		WithNumLevelZeroTablesStall(3). // with four it may merge them into one, in memory
		WithBlockCacheSize(32 << 20).
		WithValueThreshold(layout.ValueThreshold).
		WithValueLogFileSize(4 << 20).
		WithNumCompactors(3). // the third one compacts the last level, and no other number has it
		WithLogger(log)
	o.TableSizeMultiplier = 1 // of the level above: a large table takes as much memory to make
	o.LmaxCompaction = true   // or what is deleted and not written again stays on disk
	return o
}

// memTableSize makes a batch, 15 % of it, large enough for any one commit. Not
// more: under load several tables of that size and their copies are in memory.
const memTableSize = 48 << 20
