package prepare

import (
	"fmt"
	"runtime/debug"

	"golang.org/x/sys/unix"
)

// maxFiles is how many descriptors a build may have open.
const maxFiles = 64

// constrain limits this process for good. The system does not enforce a limit of
// address space: Go's own is what there is.
func constrain(a allowance) error {
	for resource, value := range map[int]uint64{
		unix.RLIMIT_CPU:    uint64(max(a.CPU.Seconds(), 1)),
		unix.RLIMIT_FSIZE:  uint64(a.Size),
		unix.RLIMIT_CORE:   0,
		unix.RLIMIT_NOFILE: maxFiles,
	} {
		if err := unix.Setrlimit(resource, &unix.Rlimit{Cur: value, Max: value}); err != nil {
			return fmt.Errorf("limit %d to %d: %w", resource, value, err)
		}
	}
	unix.Umask(0o077)
	debug.SetMemoryLimit(a.Memory / 8 * 7)
	return nil
}
