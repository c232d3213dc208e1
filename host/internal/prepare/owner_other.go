//go:build !linux && !darwin && !freebsd

package prepare

import "io/fs"

// ownedAlone knows no owners here: the data directory's own protection counts.
func ownedAlone(fs.FileInfo) error { return nil }

const claims = false

// claim knows no marks here: one process at a time may use the directory.
func claim(string) (release func() error, ok bool, err error) {
	return func() error { return nil }, true, nil
}
