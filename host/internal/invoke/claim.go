package invoke

import "github.com/wasmoor/wasmoor/host/internal/store"

// Claim is what the host itself settles with a request that it has made: that a message
// is handled, that a schedule has run. It is settled by the commit of the handler's
// effects, or not at all. It belongs to one goroutine at a time.
type Claim interface {
	// Check is called in each attempt before the handler runs. After an error it does
	// not run: Done says that nothing is to be done any more. What it reads, the attempt
	// has read.
	Check(tx *store.Tx) error
	// Settle is called when a handler has replied with a status and its effects are
	// about to be committed. It adds to them, or has them dropped.
	Settle(tx *store.Tx, status int) (commit bool, err error)
}
