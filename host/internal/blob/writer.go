package blob

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"syscall"

	"github.com/wasmoor/wasmoor/host/internal/bucket"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Writer takes the bytes of a blob, in a file until they are all there. It belongs to one
// goroutine at a time. End it with Finish or Abort.
type Writer struct {
	store *Store
	file  *os.File // nil = it has ended
	hash  hash.Hash
	size  int64
	most  int64
	err   error // of the first write that failed
}

// Create begins a blob of at most most bytes. Errors by fault code: Exhausted (the disk is
// full), Unavailable.
func (s *Store) Create(most int64) (*Writer, error) {
	if err := s.room(); err != nil {
		return nil, err
	}
	file, err := os.CreateTemp(s.unborn, "") // mode 0600
	if err != nil {
		return nil, s.unwritten(err)
	}
	return &Writer{store: s, file: file, hash: sha256.New(), most: most}, nil
}

// Put makes a blob of what r gives, at most most bytes. An error of r is returned as it is;
// others are those of Writer.
func (s *Store) Put(ctx context.Context, r io.Reader, most int64) (*Held, error) {
	w, err := s.Create(most)
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(w, r); err != nil {
		w.Abort()
		return nil, err
	}
	return w.Finish(ctx)
}

// room says whether the disk has others to serve.
func (s *Store) room() error {
	if s.cfg.Health == nil {
		return nil
	}
	if err := s.cfg.Health(); fault.CodeOf(err) == fault.Exhausted {
		return err
	}
	return nil
}

// unwritten is why the folder did not take something.
func (s *Store) unwritten(err error) error {
	code, why := fault.Unavailable, "a blob cannot be written to the disk"
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		code, why = fault.Exhausted, "the disk is full: a blob cannot be written"
	}
	return fault.Wrap(code, "put blob", why, err)
}

// Size returns how many bytes there are.
func (w *Writer) Size() int64 { return w.size }

// Write appends p. After an error it takes no more, and Finish returns the same. Errors by
// fault code: TooLarge (more than most), Exhausted (the disk is full), Unavailable.
func (w *Writer) Write(p []byte) (int, error) {
	switch {
	case w.err != nil:
	case w.file == nil:
		w.err = fault.New(fault.Internal, "put blob", "its writer has ended")
	case w.size+int64(len(p)) > w.most:
		w.err = fault.New(fault.TooLarge, "put blob", fmt.Sprintf("it has more than the %d bytes that there is room for", w.most))
	default:
		w.err = w.store.room()
	}
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.file.Write(p)
	w.size += int64(n)
	_, _ = w.hash.Write(p[:n]) // never fails
	if err != nil {
		w.err = w.store.unwritten(err)
	}
	return n, w.err
}

// Finish ends the writer and has the blob last: when it returns nil error the bytes outlive
// a crash of the machine, and are held. Bytes that are there already are not written
// again. Errors are those of Write and of bucket.Bucket, and leave nothing that a sweep
// does not find.
func (w *Writer) Finish(ctx context.Context) (*Held, error) {
	defer w.Abort()
	if w.err != nil {
		return nil, w.err
	}
	if w.file == nil {
		return nil, fault.New(fault.Internal, "put blob", "its writer has ended")
	}
	var d Digest
	w.hash.Sum(d[:0])
	return w.store.Adopt(ctx, w.file, d, w.size)
}

// Adopt has the bytes of a file last as a blob, which has the digest and the size, as
// Finish does. The file is open and has a name, which it keeps. Where it lies in the file
// system of the store it is not copied: nobody may write to it again.
func (s *Store) Adopt(ctx context.Context, file *os.File, d Digest, size int64) (*Held, error) {
	held, err := s.Hold(ctx, d, size)
	if err != nil {
		return nil, err
	}
	there, err := s.whole(ctx, d, size)
	switch {
	case err != nil:
	case there:
		err = bucket.Last(ctx, s.bucket, d.key()) // whoever put it may not have come to that
	default:
		err = bucket.Adopt(ctx, s.bucket, d.key(), file)
	}
	if err != nil {
		held.Release()
		return nil, err
	}
	return held, nil
}

// Abort ends the writer and forgets what it has. After Finish it does nothing.
func (w *Writer) Abort() {
	if w.file == nil {
		return
	}
	_ = w.file.Close()
	_ = os.Remove(w.file.Name()) // what is left the next start removes
	w.file = nil
}
