package linear

import "golang.org/x/sys/unix"

// smallPages asks for pages of the usual size; a kernel without huge pages
// refuses, which is as good.
func smallPages(space []byte) { _ = unix.Madvise(space, unix.MADV_NOHUGEPAGE) }

// wipe makes the first n bytes zero, and gives their pages back.
func wipe(space []byte, n int) {
	if n > 0 && unix.Madvise(space[:n], unix.MADV_DONTNEED) != nil {
		clear(space[:n])
	}
}
