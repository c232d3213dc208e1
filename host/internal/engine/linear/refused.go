package linear

import (
	"fmt"

	"github.com/wasmoor/wasmoor/host/internal/limit"
)

// refused is a growth that a memory was refused, in bytes; zero = none was.
type refused struct {
	asked  int64 // what the memory would have had in all
	budget int64 // what all may have together, where that was used up; 0 = it was over the limit
}

// Forgive forgets what growth was refused.
func (m *Memory) Forgive() { m.refused = refused{} }

// Shortage says, after other words, which growth was refused since the memory was made
// or since Forgive, and what to do about it; "" = none. declared says that the limit is
// the module's own.
func (m *Memory) Shortage(declared bool) string {
	r := m.refused
	if r.asked == 0 {
		return ""
	}
	why := m.Most(declared)
	if r.budget > 0 {
		why = fmt.Sprintf("the plugins that are loaded take the %s they may have together (max_guest_memory of the host)", limit.FormatSize(r.budget))
	}
	return fmt.Sprintf("; out of memory: the guest asked for %.1f MiB in all, and %s", float64(r.asked)/(1<<20), why)
}

// Most says what the memory may have, and how to give it more.
func (m *Memory) Most(declared bool) string {
	most := limit.FormatSize(int64(m.pool.limit))
	if declared {
		return fmt.Sprintf("the module says that its memory has a maximum of %s; link it with a larger one, or none", most)
	}
	return fmt.Sprintf("limits.memory is %s; use less, or raise memory under [limits] in wasmoor.toml", most)
}
