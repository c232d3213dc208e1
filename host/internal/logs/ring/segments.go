package ring

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// The two files of a ring. Lines are appended to the first. When it has its half of
// the ring's bytes it takes the place of the second.
const (
	currentFile  = "current"
	previousFile = "previous"
)

// segments are the files of one ring, open only while they are read or written: a
// server may have a thousand rings. Not safe for concurrent use.
type segments struct {
	dir  string
	half int64 // bytes of a file
	size int64 // of the current one; below 0 = it was not looked at
}

// write appends lines. After an error nothing of them is kept.
func (s *segments) write(lines []byte) error {
	if s.size < 0 {
		if err := s.adopt(); err != nil {
			return err
		}
	}
	if s.size > 0 && s.size+int64(len(lines)) > s.half {
		if err := os.Rename(s.path(currentFile), s.path(previousFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		s.size = 0
	}
	err := s.append(lines)
	if err != nil {
		_ = os.Truncate(s.path(currentFile), s.size)
		s.size = -1
		return err
	}
	s.size += int64(len(lines))
	return nil
}

func (s *segments) append(lines []byte) error {
	const how = os.O_APPEND | os.O_CREATE | os.O_WRONLY
	f, err := os.OpenFile(s.path(currentFile), how, 0o600)
	if errors.Is(err, fs.ErrNotExist) { // the folder is new, or somebody has removed it
		if err = os.MkdirAll(s.dir, 0o700); err == nil {
			f, err = os.OpenFile(s.path(currentFile), how, 0o600)
		}
	}
	if err != nil {
		return err
	}
	_, err = f.Write(lines)
	return errors.Join(err, f.Close())
}

// adopt makes the current file of an earlier process one to append to: without the
// line that its end cut, and without what was never a line. What is no file, or too
// large for one, is removed.
func (s *segments) adopt() error {
	path := s.path(currentFile)
	data, err := s.read(currentFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.size = 0
		return nil
	case errors.Is(err, errNoSegment):
		if err := os.RemoveAll(path); err != nil {
			return err
		}
		s.size = 0
		return nil
	case err != nil:
		return err
	}
	whole := int64(len(data))
	for rest := data; len(rest) > 0; {
		whole = int64(len(data) - len(rest))
		_, left, ok := cut(rest)
		if !ok {
			break
		}
		rest, whole = left, int64(len(data)-len(left))
	}
	if whole < int64(len(data)) {
		if err := os.Truncate(path, whole); err != nil {
			return err
		}
	}
	s.size = whole
	return nil
}

// errNoSegment says that what has the name of a file cannot be one of a ring.
var errNoSegment = errors.New("not the file of a ring")

// read returns a file whole. Errors: fs.ErrNotExist, errNoSegment.
func (s *segments) read(name string) ([]byte, error) {
	most := max(s.half, maxWaiting) + maxBody + headSize
	info, err := os.Lstat(s.path(name))
	if errors.Is(err, syscall.ENOTDIR) { // a file has the place of the folder
		return nil, errNoSegment
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > most { // a pipe has no end, nor has what a link may name
		return nil, errNoSegment
	}
	f, err := os.Open(s.path(name))
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	return io.ReadAll(io.LimitReader(f, most))
}

func (s *segments) path(name string) string { return filepath.Join(s.dir, name) }
