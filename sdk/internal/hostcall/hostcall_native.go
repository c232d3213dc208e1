//go:build !wasip1

package hostcall

import (
	"sync"
	"sync/atomic"

	"github.com/wasmoor/wasmoor/abi"
)

// A guest instance serves one request at a time and so keeps its state in
// package variables; natively the lock makes the same true of parallel tests.
var (
	instance sync.Mutex
	current  atomic.Pointer[Host]
)

// Run calls f with h answering the host functions. Calls of Run take turns; f
// must not call Run.
func Run(h Host, f func()) {
	instance.Lock()
	defer instance.Unlock()
	current.Store(&h)
	defer current.Store(nil)
	f()
}

// ask sends a call to the installed host. Without one it answers as a host does
// during initialisation.
func ask(call func(Host) int64) int64 {
	h := current.Load()
	if h == nil {
		return int64(abi.Unavailable)
	}
	return call(*h)
}

// Serving reports whether Run is under way, so that calls have somebody to answer.
func Serving() bool { return current.Load() != nil }
