package host

import (
	"fmt"
	"log/slog"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/store/badger"
)

// Memory that no key bounds, in bytes.
const (
	// processMemory is the program itself, and what Go's runtime knows nothing of:
	// mappings, page tables, buffers of sockets.
	processMemory = 64 << 20
	// leastHeap is what Go's heap is left, however little there is: below it the
	// collector would do nothing but collect.
	leastHeap = 128 << 20
)

// apart says that the memories of instances are not in Go's heap.
const apart = runtime.GOOS == "linux" || runtime.GOOS == "darwin" || runtime.GOOS == "freebsd"

// memoryPart is a part of the memory that a host may take.
type memoryPart struct {
	what  string
	key   string // that sets it; "" = it is fixed
	bytes int64
	heap  bool // it is in Go's heap
}

// memoryParts lists what the host may take. OPERATING.md has the same table.
func (c Config) memoryParts() []memoryPart {
	parts := []memoryPart{
		{"plugins", "max_guest_memory", c.MaxGuestMemory, !apart},
		{"bodies", "max_body_memory", c.MaxBodyMemory, true},
		{"handlers", "max_handler_memory", c.MaxHandlerMemory, true},
		{"replies", "max_reply_memory", c.MaxReplyMemory, true},
		{"store", "", badger.Memory, true},
		{"recent writes", "", badger.WindowMemory, true},
		{"process", "", processMemory, false},
	}
	if len(c.Build) > 0 {
		parts = append(parts, memoryPart{"builds", "max_build_memory", c.MaxBuildMemory, false})
	}
	return parts
}

// sum returns the bytes of all parts, and of those in Go's heap.
func sum(parts []memoryPart) (all, heap int64) {
	for _, p := range parts {
		all = plus(all, p.bytes)
		if p.heap {
			heap = plus(heap, p.bytes)
		}
	}
	return all, heap
}

// plus adds sizes of which the sum may be too large for a number.
func plus(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// boundMemory says where the control group of this process has less memory than
// the configuration lets the parts take together: the kernel would end the server
// then, though no part of it did wrong. Unless somebody has set Go's memory limit
// (GOMEMLIMIT), it becomes what the parts in the heap may take, or less in
// proportion where the group has less.
func (h *Host) boundMemory() {
	parts, most := h.cfg.memoryParts(), groupLimit(os.ReadFile)
	all, heap := sum(parts)
	if all > most {
		h.cfg.Log.Warn(tooLittle(parts, all, most))
	}
	if debug.SetMemoryLimit(-1) == math.MaxInt64 {
		debug.SetMemoryLimit(heapLimit(all, heap, most))
	}
	h.cfg.Log.Info("memory", slog.String("at_most", limit.FormatSize(all)),
		slog.String("go_limit", limit.FormatSize(debug.SetMemoryLimit(-1))))
}

// heapLimit returns the limit for Go's heap of a host that takes all, of which
// heap is there, where most is left to it: what the heap may take, or in a group
// that has less its part of that. All parts are hardly ever full at a time.
func heapLimit(all, heap, most int64) int64 {
	if most >= all {
		return heap
	}
	return max(int64(float64(heap)*(float64(most)/float64(all))), leastHeap)
}

// tooLittle names the parts with what they take and with the keys that lower it.
func tooLittle(parts []memoryPart, all, most int64) string {
	var list strings.Builder
	for i, p := range parts {
		if i > 0 {
			list.WriteString(", ")
		}
		fmt.Fprintf(&list, "%s %s", p.what, limit.FormatSize(p.bytes))
		if p.key != "" {
			fmt.Fprintf(&list, " (%s)", p.key)
		}
	}
	return fmt.Sprintf("the control group of this process leaves it %s of memory, and this configuration may take %s: %s. "+
		"Raise the group's limit to %s, or lower keys by %s together",
		limit.FormatSize(most), limit.FormatSize(all), &list, limit.FormatSize(all), limit.FormatSize((all-most+mib-1)/mib*mib))
}

const mib = 1 << 20
