package badger

import (
	"strings"
	"sync/atomic"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/damage"
)

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
	if err != nil && damage.Is(err) {
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

func newHalt() *halt { return &halt{before: damage.Blocks()} }

// log is called with what Badger logs, by the goroutine that logs it. One that
// has read the inputs of a compaction says "Discard stats" before anything comes
// of it (levels.go, subcompact). When the store is damaged it stays here until
// the process ends: Badger would take what it could read for all there is, and
// delete the inputs.
func (h *halt) log(format string) {
	s := h.store.Load()
	if s != nil && (strings.HasPrefix(format, "Flushing memtable") || strings.HasPrefix(format, "[%d] LOG Compact. Added")) {
		s.buffers.Drop() // it is about to take one
	}
	if !strings.HasPrefix(format, "Discard stats") || damage.Blocks() == h.before && !h.known.Load() {
		return
	}
	h.held.Store(true)
	if s != nil {
		s.found(damage.Err)
	}
	select {}
}
