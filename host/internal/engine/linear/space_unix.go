//go:build linux || darwin || freebsd

package linear

import (
	"golang.org/x/sys/unix"
)

// reserve returns n bytes of address space, or nil where the system has none:
// memory is taken page by page when it is touched. Huge pages would make the
// first touch clear 2 MiB.
func reserve(n int) []byte {
	if n == 0 {
		return nil
	}
	space, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|noReserve)
	if err != nil {
		return nil
	}
	smallPages(space)
	return space
}

func release(space []byte) {
	if err := unix.Munmap(space); err != nil {
		panic("linear: munmap of a reservation: " + err.Error()) // a bug: the range is ours
	}
}
