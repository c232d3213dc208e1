// Package damage tells whether a read of Badger's met a damaged block. Only package
// store/badger imports it.
package damage

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/dgraph-io/badger/v4/y"
	"github.com/klauspost/compress/s2"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/layout"
)

// Badger verifies each block of a table that it reads, and then treats one that
// fails as if it ended there: a key in it is not found, an older version of it
// comes back, a list ends, and a compaction leaves out what follows and deletes
// the table. The error is dropped within Badger, but it is made into text first.
// So the two errors that a damaged block fails with count how often that
// happens: a read during which the count moved has failed.
var blocks atomic.Uint64

// counted is an error that counts how often its text is asked for.
type counted struct{ error }

func (c counted) Error() string {
	blocks.Add(1)
	return c.error.Error()
}

func (c counted) Unwrap() error { return c.error }

var _ = countErrors()

// countErrors replaces the errors before anything reads them.
func countErrors() bool {
	y.ErrChecksumMismatch = counted{y.ErrChecksumMismatch}
	s2.ErrCorrupt = counted{s2.ErrCorrupt}
	return true
}

// Reading notes how many damaged blocks there were when a read began.
type Reading uint64

// BeginRead begins a read.
func BeginRead() Reading { return Reading(blocks.Load()) }

// Blocks returns how many damaged blocks were met.
func Blocks() uint64 { return blocks.Load() }

// Failed returns the error of a read that met damage, else err.
func (r Reading) Failed(err error) error {
	if Reading(blocks.Load()) != r {
		return Err
	}
	return err
}

// Err is the error of a read that met damage.
var Err = fault.New(fault.Internal, "read", "the data directory is damaged: a block of a table fails its checksum")

// Is tells Err, and what a malformed record or a panic of Badger's
// became, from other errors.
func Is(err error) bool { return errors.Is(err, Err) || errors.Is(err, layout.ErrRecord) }

// Caught makes a panic of Badger's, which slices blocks before it verifies them,
// into an error.
func Caught(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%w (%v)", Err, r)
	}
}
