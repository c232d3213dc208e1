//go:build linux || darwin || freebsd

package folder

import (
	"os"

	"golang.org/x/sys/unix"
)

// ifUnlocked runs act while no process has dir's database open, and does
// nothing while one has: Badger locks the directory itself (dir_unix.go).
func ifUnlocked(dir string, act func() error) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close() //nolint:errcheck // nothing was written
	if unix.Flock(int(d.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		return nil
	}
	return act()
}
