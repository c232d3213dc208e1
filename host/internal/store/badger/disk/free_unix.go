//go:build linux || darwin || freebsd

package disk

import "golang.org/x/sys/unix"

// Free returns the bytes an ordinary user may still write on dir's file
// system.
func Free(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * int64(st.Bsize), nil //nolint:unconvert // 32 bits on darwin
}
