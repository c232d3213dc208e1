package badger

import (
	"errors"
	"fmt"
	"strings"
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
var badBlocks atomic.Uint64

// counted is an error that counts how often its text is asked for.
type counted struct{ error }

func (c counted) Error() string {
	badBlocks.Add(1)
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

// reading notes how many damaged blocks there were when a read began.
type reading uint64

func beginRead() reading { return reading(badBlocks.Load()) }

// failed returns the error of a read that met damage, else err.
func (r reading) failed(err error) error {
	if reading(badBlocks.Load()) != r {
		return errDamaged
	}
	return err
}

var errDamaged = fault.New(fault.Internal, "read", "the data directory is damaged: a block of a table fails its checksum")

// isDamage tells errDamaged, and what a malformed record or a panic of Badger's
// became, from other errors.
func isDamage(err error) bool { return errors.Is(err, errDamaged) || errors.Is(err, layout.ErrRecord) }

// caught makes a panic of Badger's, which slices blocks before it verifies them,
// into an error.
func caught(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%w (%v)", errDamaged, r)
	}
}

// found notes damage, once: from here on nothing is written, as what a commit
// would rest on, or a compaction would copy, may be wrong.
func (s *Store) found(cause error) {
	refuse := fault.Wrap(fault.Unavailable, "commit", "the store is damaged and read-only; nothing was done; the server's log names the files", cause)
	s.failed.CompareAndSwap(nil, refuse)
	if !s.halt.known.CompareAndSwap(false, true) {
		return
	}
	s.log.Error("the data directory is damaged: nothing is written any more, and reads of what is damaged fail. Stop the server, run `wasmoor verify`, restore a backup", "error", cause)
	s.scrub.hurry()
}

// checked passes a read's error on and notes damage.
func (s *Store) checked(err error) error {
	if err != nil && isDamage(err) {
		s.found(err)
	}
	return err
}

// halt stops the compactions of a damaged store.
type halt struct {
	before uint64 // bad blocks when the store was opened
	store  atomic.Pointer[Store]
	known  atomic.Bool
	held   atomic.Bool
}

func newHalt() *halt { return &halt{before: badBlocks.Load()} }

// log is called with what Badger logs, by the goroutine that logs it. One that
// has read the inputs of a compaction says "Discard stats" before anything comes
// of it (levels.go, subcompact). When the store is damaged it stays here until
// the process ends: Badger would take what it could read for all there is, and
// delete the inputs.
func (h *halt) log(format string) {
	s := h.store.Load()
	if s != nil && (strings.HasPrefix(format, "Flushing memtable") || strings.HasPrefix(format, "[%d] LOG Compact. Added")) {
		s.buffers.drop() // it is about to take one
	}
	if !strings.HasPrefix(format, "Discard stats") || badBlocks.Load() == h.before && !h.known.Load() {
		return
	}
	h.held.Store(true)
	if s != nil {
		s.found(errDamaged)
	}
	select {}
}
