//go:build unix

package host

import (
	"math"
	"syscall"
)

// maxFiles returns how many files the process may have open.
func maxFiles() int64 {
	var most syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &most) != nil || uint64(most.Cur) > math.MaxInt64 { //nolint:unconvert // signed on FreeBSD
		return math.MaxInt64
	}
	return int64(most.Cur)
}
