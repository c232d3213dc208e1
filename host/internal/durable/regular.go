package durable

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// ErrNotRegular says that a file is a pipe, a device, a folder or the like, whose
// reader could wait for ever.
var ErrNotRegular = errors.New("it is not a regular file")

// OpenRegular opens a file, or what a link leads to, to be read, and waits for
// nobody. The error is ErrNotRegular, or one of os.Open.
func OpenRegular(path string) (*os.File, error) {
	irregular := &fs.PathError{Op: "read", Path: path, Err: ErrNotRegular}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, irregular // opening a pipe tells its writer that somebody reads
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() { // it was replaced meanwhile
		err = irregular
	}
	if err != nil {
		_ = f.Close() // nothing was read
		return nil, err
	}
	return f, nil
}

// ReadRegular reads a file of OpenRegular that has at most max bytes.
func ReadRegular(path string, max int64) ([]byte, error) {
	f, err := OpenRegular(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	data, err := io.ReadAll(io.LimitReader(f, max+1))
	if err == nil && int64(len(data)) > max {
		err = &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("it has more than %d bytes", max)}
	}
	return data, err
}
