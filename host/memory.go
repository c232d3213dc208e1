package host

import (
	"log/slog"
	"math"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/wasmoor/wasmoor/host/internal/capability/password"
	"github.com/wasmoor/wasmoor/host/internal/cgroup"
	"github.com/wasmoor/wasmoor/host/internal/footprint"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/store/badger"
)

// processMemory is what no key bounds: the program itself, and what Go's runtime knows
// nothing of, such as mappings, page tables, buffers of sockets. In bytes.
const processMemory = 64 << 20

// apart says that the memories of instances are not in Go's heap.
const apart = runtime.GOOS == "linux" || runtime.GOOS == "darwin" || runtime.GOOS == "freebsd"

// memoryParts lists what the host may take. OPERATING.md has the same table.
func (c Config) memoryParts() []footprint.Part {
	parts := []footprint.Part{
		{What: "plugins", Key: "max_guest_memory", Bytes: c.MaxGuestMemory, Heap: !apart},
		{What: "bodies", Key: "max_body_memory", Bytes: c.MaxBodyMemory, Heap: true},
		{What: "handlers", Key: "max_handler_memory", Bytes: c.MaxHandlerMemory, Heap: true},
		{What: "replies", Key: "max_reply_memory", Bytes: c.MaxReplyMemory, Heap: true},
		{What: "store", Bytes: badger.Memory, Heap: true},
		{What: "recent writes", Bytes: badger.WindowMemory, Heap: true},
		{What: "password hashes", Bytes: password.Memory, Heap: true},
		{What: "process", Bytes: processMemory},
	}
	if len(c.Build) > 0 {
		parts = append(parts, footprint.Part{What: "builds", Key: "max_build_memory", Bytes: c.MaxBuildMemory})
	}
	return parts
}

// MemoryFor returns how many bytes a host of this configuration may take, and how many
// the control group of this process leaves it; MaxInt64 = it has no limit.
func MemoryFor(c Config) (all, most int64) {
	all, _ = footprint.Sum(c.memoryParts())
	return all, cgroup.Limit(os.ReadFile)
}

// boundMemory says where the control group of this process has less memory than
// the configuration lets the parts take together: the kernel would end the server
// then, though no part of it did wrong. Unless somebody has set Go's memory limit
// (GOMEMLIMIT), it becomes what the parts in the heap may take, or less in
// proportion where the group has less.
func (h *Host) boundMemory(c *Config) {
	parts, most := c.memoryParts(), cgroup.Limit(os.ReadFile)
	all, heap := footprint.Sum(parts)
	if all > most {
		h.cfg.Log.Warn(footprint.TooLittle(parts, all, most))
	}
	if h.memoryLimit == 0 && debug.SetMemoryLimit(-1) == math.MaxInt64 || h.memoryLimit != 0 {
		h.memoryLimit = footprint.HeapLimit(all, heap, most)
		debug.SetMemoryLimit(h.memoryLimit)
	}
	h.cfg.Log.Info("memory", slog.String("at_most", limit.FormatSize(all)),
		slog.String("go_limit", limit.FormatSize(debug.SetMemoryLimit(-1))))
}
