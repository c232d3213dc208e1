package host

import (
	"bytes"
	"math"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/wasmoor/wasmoor/host/internal/limit"
)

// baseMemory is the memory of a host that its configuration does not bound: the
// store's tables and caches, and compiled modules.
const baseMemory = 256 << 20

// checkMemory warns when the control group of this process, if it limits memory,
// has less than the configuration lets the parts take together: the kernel would
// end the server then, though no part of it did wrong.
func (h *Host) checkMemory() {
	most := groupLimit(os.ReadFile)
	need := h.cfg.MaxGuestMemory + h.cfg.MaxBodyMemory + h.cfg.MaxReplyMemory + baseMemory
	if len(h.cfg.Build) > 0 {
		need += h.cfg.MaxBuildMemory
	}
	if need <= most {
		return
	}
	h.cfg.Log.Warn("the control group's memory limit is below what this configuration may take; raise it, or lower max_guest_memory, max_body_memory, max_reply_memory or max_build_memory",
		"limit", limit.FormatSize(most), "need", limit.FormatSize(need),
		"max_guest_memory", limit.FormatSize(h.cfg.MaxGuestMemory), "max_body_memory", limit.FormatSize(h.cfg.MaxBodyMemory),
		"max_reply_memory", limit.FormatSize(h.cfg.MaxReplyMemory),
		"max_build_memory", limit.FormatSize(h.cfg.MaxBuildMemory), "base", limit.FormatSize(baseMemory))
}

// groupLimit returns how many bytes of memory the control group (version 2) of
// this process, and those above it, leave it. Without a limit, or on a system
// without such groups, that is the largest number.
func groupLimit(read func(string) ([]byte, error)) int64 {
	most := int64(math.MaxInt64)
	groups, err := read("/proc/self/cgroup")
	if err != nil {
		return most
	}
	for line := range bytes.Lines(groups) {
		group, ok := strings.CutPrefix(strings.TrimSpace(string(line)), "0::")
		if !ok {
			continue
		}
		for at := path.Join("/", group); ; at = path.Dir(at) {
			text, err := read(path.Join("/sys/fs/cgroup", at, "memory.max"))
			if n, bad := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && bad == nil {
				most = min(most, n)
			}
			if at == "/" {
				break
			}
		}
	}
	return most
}
