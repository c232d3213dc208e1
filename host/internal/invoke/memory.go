package invoke

import (
	"fmt"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// freeMemory is what each attempt may have that nobody counts, in bytes: most
// handlers write and answer less.
const freeMemory = 64 << 10

// memory is what the host keeps for an attempt outside the guest: its writes,
// its reply and the bodies of its calls.
type memory struct {
	share   limit.Share
	used    int // bytes, the free ones too
	refused *limit.Budget
}

func (m *memory) give() {
	m.share.Give()
	*m = memory{}
}

// Hold counts n bytes that the host keeps until the attempt ends. False says that
// the running handlers have all the memory there is for that: the attempt has
// failed then, as Starved says, whatever its guest makes of it.
func (inv *Invocation) Hold(n int) bool {
	m := &inv.memory
	before := max(m.used, freeMemory)
	m.used += n
	if m.used <= freeMemory || inv.Env.Memory == nil || m.refused != nil {
		return m.refused == nil
	}
	if m.share.Held() == 0 {
		m.share = inv.Env.Memory.Share()
	}
	if !m.share.Take(m.used - before) {
		m.refused = inv.Env.Memory
	}
	return m.refused == nil
}

// writeCost is about how many bytes a write takes in addition to its key and value.
const writeCost = 300

// HoldWrites runs do, which writes into the transaction, and holds the memory that this
// takes in addition: a write to a key that is written already takes none. Each write is
// there twice, in the transaction and as it goes to disk. The error is that of do, or
// Starved.
func (inv *Invocation) HoldWrites(do func() error) error {
	before := written(inv.Tx)
	err := do()
	if more := written(inv.Tx) - before; more > 0 && !inv.Hold(more) {
		return inv.Starved()
	}
	return err
}

func written(tx *store.Tx) int {
	bytes, writes := tx.Taken()
	return 2*bytes + writes*writeCost
}

// Starved returns an Unavailable fault if Hold has failed in this attempt, else nil.
func (inv *Invocation) Starved() error {
	if inv.memory.refused == nil {
		return nil
	}
	return fault.New(fault.Unavailable, "invoke", fmt.Sprintf(
		"the handlers that run have all the %s there are for what they write, answer and send (max_handler_memory)",
		limit.FormatSize(inv.memory.refused.Size())))
}
