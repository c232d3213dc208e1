//go:build !linux && !darwin && !freebsd

package linear

// reserve returns nil: memory comes from Go's heap here.
func reserve(int) []byte { return nil }

func release([]byte) {}

func wipe([]byte, int) {}
