package linear

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// watcher has the kernel note in the page table which pages of the image are
// written (asynchronous write protection of userfaultfd, Linux 6.7). A scan then
// reads the table and nothing else: a scanner has to look at what is known of
// each page that is mapped, read ones too, which takes ten times as long. A page
// is noted once and stays so until it is dropped, so that what a guest writes
// again and again takes no fault.
// https://docs.kernel.org/admin-guide/mm/userfaultfd.html
// https://docs.kernel.org/admin-guide/mm/pagemap.html
//
// Until restored has been called for all of the image, and behind it, where
// pages that are mapped are pages that were written, it scans like a scanner.
type watcher struct {
	scanner
	faults int    // descriptor of userfaultfd
	image  []byte // its mapping
	state  watch
}

// watch is how far a watcher has come.
type watch byte

const (
	unwatched watch = iota
	watched
	unwatchable // the kernel refused
)

const (
	userfaultfdAPI = 0xc018aa3f // _IOWR(0xaa, 0x3f, struct uffdio_api)
	watchRegister  = 0xc020aa00 // _IOWR(0xaa, 0x00, struct uffdio_register)
	watchProtect   = 0xc018aa06 // _IOWR(0xaa, 0x06, struct uffdio_writeprotect)

	userfaultfdVersion  = 0xaa
	userModeOnly        = 1 // for the unprivileged; nobody waits for faults here
	featureSharedMemory = 1 << 12
	featureUnpopulated  = 1 << 13
	featureAsync        = 1 << 15
	writeProtected      = 2 // of watchRegister
	protect             = 1 // of watchProtect

	pageWritten = 1 << 1
)

// userfaultfd opens what watchers need, for as long as the process lives; -1 =
// it is not to be had.
func userfaultfd() (faults int) {
	fd, _, errno := unix.Syscall(unix.SYS_USERFAULTFD, unix.O_CLOEXEC|unix.O_NONBLOCK|userModeOnly, 0, 0)
	if errno != 0 {
		return -1
	}
	api := [3]uint64{userfaultfdVersion, featureSharedMemory | featureUnpopulated | featureAsync}
	if !control(int(fd), userfaultfdAPI, unsafe.Pointer(&api)) {
		_ = unix.Close(int(fd))
		return -1
	}
	return int(fd)
}

func control(fd int, request uintptr, arg unsafe.Pointer) bool {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(arg))
	return errno == 0
}

// next implements tracker.
func (w *watcher) next(space []byte, at int) ([]run, int, bool) {
	if w.state != watched || at >= len(w.image) {
		return w.scanner.next(space, at)
	}
	base := uint64(uintptr(unsafe.Pointer(unsafe.SliceData(space))))
	w.arg = scanArg{
		size: uint64(unsafe.Sizeof(w.arg)), start: base + uint64(at), end: base + uint64(min(len(w.image), len(space))),
		vec: uint64(uintptr(unsafe.Pointer(&w.found))), vecLen: uint64(len(w.found)),
		categoryMask: pageWritten, ret: pageWritten,
	}
	return w.scan(base)
}

// restored implements tracker. Where the kernel refuses, what was noted of the
// part stays noted.
func (w *watcher) restored(part []byte) {
	start, size := uint64(uintptr(unsafe.Pointer(unsafe.SliceData(part)))), uint64(len(part))
	protected := [3]uint64{start, size, protect}
	switch {
	case w.state == watched:
		control(w.faults, watchProtect, unsafe.Pointer(&protected))
	case w.state == unwatchable || len(part) < len(w.image):
	default:
		register := [4]uint64{start, size, writeProtected}
		w.state = unwatchable
		if control(w.faults, watchRegister, unsafe.Pointer(&register)) && control(w.faults, watchProtect, unsafe.Pointer(&protected)) {
			w.state = watched
		}
	}
}
