package linear

import "golang.org/x/sys/unix"

// smallPages asks for pages of the usual size; a kernel without huge pages
// refuses, which is as good.
func smallPages(space []byte) { _ = unix.Madvise(space, unix.MADV_NOHUGEPAGE) }
