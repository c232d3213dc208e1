package prepare

import (
	"fmt"
	"os"
	"runtime/debug"

	"golang.org/x/sys/unix"
)

// constrain limits this process for good. Most is limited by the parent too,
// which cannot know how much address space a process has at its start: Go
// reserves more of it than it uses.
func constrain(a allowance) error {
	own, err := addressSpace()
	if err != nil {
		return err
	}
	all := append(rlimits(a), rlimit{unix.RLIMIT_AS, uint64(own + a.Memory)})
	for _, r := range all {
		if err := unix.Setrlimit(r.resource, &unix.Rlimit{Cur: r.value, Max: r.value}); err != nil {
			return fmt.Errorf("limit %d to %d: %w", r.resource, r.value, err)
		}
	}
	unix.Umask(0o077)
	collectBefore(a.Memory)
	// Where the machine's memory ends all the same, this process ends first.
	return os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0)
}

// collectBefore makes Go free memory before the limit is reached.
func collectBefore(memory int64) { debug.SetMemoryLimit(memory / 8 * 7) }

type rlimit struct {
	resource int
	value    uint64
}

// maxFiles is how many descriptors a build may have open.
const maxFiles = 64

// rlimits are the limits that need no knowledge of the process. A file may be
// as large as the artefact: whoever seals it sees to the sum.
func rlimits(a allowance) []rlimit {
	return []rlimit{
		{unix.RLIMIT_CPU, uint64(max(a.CPU.Seconds(), 1))},
		{unix.RLIMIT_FSIZE, uint64(a.Size)},
		{unix.RLIMIT_CORE, 0},
		{unix.RLIMIT_NOFILE, maxFiles},
	}
}

// addressSpace returns the size of this process.
func addressSpace() (int64, error) {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	var pages int64
	if _, err := fmt.Sscan(string(text), &pages); err != nil {
		return 0, err
	}
	return pages * int64(os.Getpagesize()), nil
}
