// Package durable writes small files of the data directory so that a crash of the
// machine leaves them whole, and opens files of operators that are to be no pipe.
// Packages with such a file import it.
package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Replace makes data the content of the file at path, mode 0600: after a crash it
// is the old content or the new one. When it returns nil the new one lasts. What
// a crash interrupts may leave a file next to it whose name starts with path's.
func Replace(path string, data []byte) error {
	spare, err := write(path, data)
	if err != nil {
		return err
	}
	if err := os.Rename(spare, path); err != nil {
		return errors.Join(err, os.Remove(spare))
	}
	return SyncDir(filepath.Dir(path))
}

// Create is Replace for a file that must not exist yet. It reports whether it made
// the file: false without an error if there is one, which it leaves alone. Of
// several processes that call it at once, one makes the file.
func Create(path string, data []byte) (bool, error) {
	spare, err := write(path, data)
	if err != nil {
		return false, err
	}
	err = os.Link(spare, path) // unlike a rename, replaces nothing
	removed := os.Remove(spare)
	if errors.Is(err, fs.ErrExist) {
		return false, removed
	}
	if err = errors.Join(err, removed); err != nil {
		return false, err
	}
	return true, SyncDir(filepath.Dir(path))
}

// write returns the path of a new file next to path that holds data, synced.
func write(path string, data []byte) (string, error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // mode 0600, never an existing file
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// SyncDir makes what was created, renamed and removed in a directory last.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
