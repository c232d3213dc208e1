package spool

import (
	"crypto/sha256"
	"hash"
	"os"
)

// File is the file of one body, which is made by the first write. The zero File belongs to
// no spool, and takes nothing. Not safe for concurrent use.
type File struct {
	spool *Spool
	owner string
	size  int64
	file  *os.File
	sum   hash.Hash
}

// New returns a file for a body of an owner, a zero one for a nil Spool. Close it.
func (s *Spool) New(owner string) File { return File{spool: s, owner: owner} }

// Takes reports whether f belongs to a spool.
func (f *File) Takes() bool { return f.spool != nil }

// Write implements io.Writer. Its errors are for the client, with the codes TooLarge,
// Unavailable and Exhausted.
func (f *File) Write(b []byte) (int, error) {
	s := f.spool
	if err := s.Take(f.owner, f.size, int64(len(b))); err != nil {
		return 0, err
	}
	f.size += int64(len(b))
	if err := f.open(); err != nil {
		return 0, s.failed(err)
	}
	n, err := f.file.Write(b)
	if err != nil {
		return n, s.failed(err)
	}
	f.sum.Write(b) // it never fails
	return n, nil
}

func (f *File) open() (err error) {
	if f.file != nil {
		return nil
	}
	if f.file, err = os.CreateTemp(f.spool.cfg.Dir, "body-"); err != nil { // mode 0600
		f.file = nil
		return err
	}
	f.sum = sha256.New()
	return nil
}

// Open returns what was written, to be read until Close, and its size; nil before the
// first write. It has a name until then, so that it can be given another (blob.Store.Adopt).
func (f *File) Open() (*os.File, int64) { return f.file, f.size }

// Sum returns the SHA-256 of what was written.
func (f *File) Sum() (sum [sha256.Size]byte) {
	f.sum.Sum(sum[:0])
	return sum
}

// Close removes the file and gives its room back. f is then of no spool.
func (f *File) Close() {
	if f.file != nil {
		_ = f.file.Close()           // nobody reads it again
		_ = os.Remove(f.file.Name()) // the next start does otherwise
	}
	if f.size > 0 {
		f.spool.Give(f.owner, f.size)
	}
	*f = File{}
}
