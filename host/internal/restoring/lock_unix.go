//go:build linux || darwin || freebsd

package restoring

import (
	"os"

	"golang.org/x/sys/unix"
)

// tryLock reports whether no other process has dir, until it is closed.
func tryLock(dir *os.File) bool {
	return unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil
}
