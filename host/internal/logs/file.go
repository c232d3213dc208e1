package logs

import (
	"os"
	"sync"
	"syscall"
)

// File is a file to which lines are appended. Safe for concurrent use.
type File struct {
	name string

	mu   sync.Mutex
	file *os.File
}

// OpenFile opens a file for appending and makes it, readable for its owner and group,
// if it is not there. Close it.
func OpenFile(name string) (*File, error) {
	f := &File{name: name}
	return f, f.Reopen()
}

// Reopen opens the name again: whoever rotates the file has given it another name. After
// an error the file before stays in use.
func (f *File) Reopen() error {
	// A pipe that nobody reads is an error then, and not waited for.
	next, err := os.OpenFile(f.name, os.O_APPEND|os.O_CREATE|os.O_WRONLY|syscall.O_NONBLOCK, 0o640)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file != nil {
		_ = f.file.Close()
	}
	f.file = next
	return nil
}

// Write appends b.
func (f *File) Write(b []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.file.Write(b)
}

// Close closes the file.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.file.Close()
}
