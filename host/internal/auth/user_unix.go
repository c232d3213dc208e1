//go:build unix

package auth

import (
	"io/fs"
	"os/user"
	"strconv"
	"syscall"
)

// userOf returns the name of the user whom a file belongs to, or the number.
func userOf(info fs.FileInfo) string {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	id := strconv.FormatUint(uint64(stat.Uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}
