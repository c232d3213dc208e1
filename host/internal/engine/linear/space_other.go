//go:build !linux && !darwin && !freebsd

package linear

const dropReverts = false

// reserve returns nil: memory comes from Go's heap here.
func reserve(int) []byte { return nil }

func release([]byte) {}

func drop([]byte) bool { return false }

func wipe([]byte) bool { return true }
