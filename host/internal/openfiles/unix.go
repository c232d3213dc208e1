//go:build unix

package openfiles

import (
	"math"
	"syscall"
)

// most returns how many files the process may have open.
func most() int64 {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil || uint64(limit.Cur) > math.MaxInt64 { //nolint:unconvert // signed on FreeBSD
		return math.MaxInt64
	}
	return int64(limit.Cur)
}
