//go:build darwin || freebsd

package linear

// dropReverts: these systems may keep pages that they were told are not needed.
const dropReverts = false

func smallPages([]byte) {}

func drop([]byte) bool { return false }

// wipe makes a reservation as new.
func wipe(space []byte) bool {
	clear(space)
	return true
}
