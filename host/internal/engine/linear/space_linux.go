package linear

import "golang.org/x/sys/unix"

// noReserve: address space is not memory, whatever the system is set to count.
const noReserve = unix.MAP_NORESERVE

// dropReverts: pages that are dropped read as what is mapped there.
const dropReverts = true

// smallPages asks for pages of the usual size; a kernel without huge pages
// refuses, which is as good.
func smallPages(space []byte) { _ = unix.Madvise(space, unix.MADV_NOHUGEPAGE) }

// drop gives pages back; false where the system refuses, and they are as they
// were.
func drop(space []byte) bool {
	return len(space) == 0 || unix.Madvise(space, unix.MADV_DONTNEED) == nil
}

// wipe makes a reservation as new.
func wipe(space []byte) bool { return drop(space) }
