//go:build wasip1

package hostcall

import "unsafe"

func pointer(b []byte) (unsafe.Pointer, uint32) {
	return unsafe.Pointer(unsafe.SliceData(b)), uint32(len(b))
}

// Run is for native tests; it is here so that they are checked with the rest.
func Run(Host, func()) { panic("hostcall: a guest has its own host") }

// Serving reports whether calls have somebody to answer: a guest always has.
func Serving() bool { return true }
