//go:build darwin || freebsd

package linear

func smallPages([]byte) {}

// wipe makes the first n bytes zero. Other systems may keep pages that they were
// told are not needed.
func wipe(space []byte, n int) { clear(space[:n]) }
