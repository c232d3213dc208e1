package invoke

import (
	"fmt"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
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

// Starved returns an Unavailable fault if Hold has failed in this attempt, else nil.
func (inv *Invocation) Starved() error {
	if inv.memory.refused == nil {
		return nil
	}
	return fault.New(fault.Unavailable, "invoke", fmt.Sprintf(
		"the handlers that run have all the %s there are for what they write, answer and send (max_handler_memory)",
		limit.FormatSize(inv.memory.refused.Size())))
}
