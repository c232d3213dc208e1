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
	by    Account
	file  *os.File // nil = it has ended
	hash  hash.Hash
	size  int64
	most  int64
	err   error // of the first write that failed
}

// Create begins a blob of at most most bytes, on an account. Errors by fault code:
// Exhausted (the disk is full), Unavailable.
func (s *Store) Create(by Account, most int64) (*Writer, error) {
	if err := s.room(); err != nil {
		return nil, err
	}
	file, err := os.CreateTemp(s.unborn, "") // mode 0600
	if err != nil {
		return nil, s.unwritten(err)
	}
	return &Writer{store: s, by: by, file: file, hash: sha256.New(), most: most}, nil
}

// Put makes a blob of what r gives, at most most bytes, on an account. An error of r is
// returned as it is; others are those of Writer.
func (s *Store) Put(ctx context.Context, by Account, r io.Reader, most int64) (*Held, error) {
	w, err := s.Create(by, most)
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

// roomFor says why a folder of its own has no room for so many bytes.
func (s *Store) roomFor(size int64) error {
	if s.cfg.Bucket == nil {
		return nil // the disk that room asks about
	}
	path, ok := bucket.Folder(s.bucket)
	if !ok {
		return nil
	}
	free, err := s.free(path)
	if err != nil || free-size >= s.cfg.MinFree { // the first put makes the folder
		return nil
	}
	return fault.New(fault.Exhausted, "put blob", fmt.Sprintf("the disk of %q is nearly full (%d MiB free, %d MiB are kept free, the blob takes %d): free some space; nothing was done", path, free>>20, s.cfg.MinFree>>20, size))
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
// fault code: TooLarge (more than most), Exhausted (the disk, or the account, is full),
// Unavailable.
func (w *Writer) Write(p []byte) (int, error) {
	switch {
	case w.err != nil:
	case w.file == nil:
		w.err = fault.New(fault.Internal, "put blob", "its writer has ended")
	case w.size+int64(len(p)) > w.most:
		w.err = fault.New(fault.TooLarge, "put blob", fmt.Sprintf("it has more than the %d bytes that there is room for", w.most))
	default:
		if w.err = w.store.room(); w.err == nil {
			w.err = w.store.charge(w.by, int64(len(p)))
		}
	}
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.file.Write(p)
	w.store.uncharge(w.by, int64(len(p)-n))
	w.size += int64(n)
	_, _ = w.hash.Write(p[:n]) // never fails
	if err != nil {
		w.err = w.store.unwritten(err)
	}
	return n, w.err
}

// Finish ends the writer and has the blob last: when it returns nil error the bytes outlive
// a crash of the machine, and are held. Errors are those of Write and of bucket.Bucket, and
// leave nothing that a sweep does not find.
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
	size := w.size
	w.size = 0 // keep has what is charged
	return w.store.keep(ctx, w.by, w.file, d, size)
}

// Adopt has the bytes of a file last as a blob on an account, which has the digest and the
// size, as Finish does. The file is open and has a name, which it keeps. Where it lies in
// the file system of the store it is not copied: nobody may write to it again.
func (s *Store) Adopt(ctx context.Context, by Account, file *os.File, d Digest, size int64) (*Held, error) {
	if err := s.charge(by, size); err != nil {
		return nil, err
	}
	return s.keep(ctx, by, file, d, size)
}

// keep stores bytes that are charged, though they may be there: whoever puts them finds out
// nothing about others then. It looks for them to know whether they are new.
func (s *Store) keep(ctx context.Context, by Account, file *os.File, d Digest, size int64) (*Held, error) {
	held, err := s.Hold(ctx, d, size)
	if err != nil {
		s.uncharge(by, size)
		return nil, err
	}
	there, err := s.Has(ctx, d)
	if err == nil {
		err = s.roomFor(size)
	}
	if err == nil {
		err = s.count(bucket.Adopt(ctx, s.bucket, d.key(), file))
	}
	s.made(by, held, err, there)
	if err != nil {
		held.Release()
		return nil, err
	}
	s.counts.putBytes.Add(size)
	return held, nil
}

// made settles what was charged for a blob that is held: a new one is charged for until it
// has a name or is gone, and one that may be there in spite of err until a sweep.
func (s *Store) made(by Account, held *Held, err error, before bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, code := s.held[held.Digest], fault.CodeOf(err)
	switch {
	case by.Owner == "":
	case code == fault.Unavailable || code == fault.Deadline:
		s.lose(by.Owner, held.Size)
	case err == nil && !before && e.owner == "" && !e.kept:
		e.owner, e.size = by.Owner, held.Size
	default:
		s.give(by.Owner, held.Size)
	}
}

// Abort ends the writer and forgets what it has. After Finish it does nothing.
func (w *Writer) Abort() {
	if w.file == nil {
		return
	}
	_ = w.file.Close()
	_ = os.Remove(w.file.Name()) // what is left the next start removes
	w.file = nil
	w.store.uncharge(w.by, w.size)
}
