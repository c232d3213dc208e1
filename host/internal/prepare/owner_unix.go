//go:build linux || darwin || freebsd

package prepare

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// ownedAlone returns an error unless only its owner, who is us, can reach a
// file.
func ownedAlone(info fs.FileInfo) error {
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("others can reach it (mode %04o)", mode)
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); !ok || int(stat.Uid) != os.Geteuid() {
		return errors.New("it belongs to another user")
	}
	return nil
}

// claims says that claim can mark a directory.
const claims = true

// claim marks a directory as one in use until release is called or the process
// ends, and reports whether it was free.
func claim(dir string) (release func() error, ok bool, err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, false, err
	}
	switch err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err {
	case nil:
		return f.Close, true, nil
	case unix.EWOULDBLOCK:
		return nil, false, f.Close()
	default:
		return nil, false, errors.Join(err, f.Close())
	}
}
