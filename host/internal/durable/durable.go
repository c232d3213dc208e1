// Package durable writes small files of the data directory so that a crash of the
// machine leaves them whole. Packages that keep such a file import it.
package durable

import (
	"errors"
	"os"
	"path/filepath"
)

// Replace makes data the content of the file at path, mode 0600: after a crash it
// is the old content or the new one. When it returns nil the new one lasts. What
// a crash interrupts may leave a file beside it whose name starts with path's.
func Replace(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return SyncDir(filepath.Dir(path))
}

// SyncDir makes what was created, renamed and removed in a directory last.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
