package extism

import "golang.org/x/sys/unix"

// reserve returns zero bytes that cost memory only once they are touched; nil
// when the system gives none.
func reserve(size int) []byte {
	b, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_NORESERVE)
	if err != nil {
		return nil
	}
	// A huge page is zeroed whole for the few bytes that most guests touch.
	_ = unix.Madvise(b, unix.MADV_NOHUGEPAGE) // unknown to some kernels
	return b
}

// wipe makes the first n bytes zero again, giving back their memory.
func wipe(b []byte, n int) {
	if n > 0 && unix.Madvise(b[:n], unix.MADV_DONTNEED) != nil {
		clear(b[:n])
	}
}

// release ends what reserve began. b is of no further use.
func release(b []byte) { _ = unix.Munmap(b) }
