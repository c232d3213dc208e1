// Package blob keeps bytes that never change under their SHA-256, for the whole host.
// Who names them is no matter of it: names are entries of plugins' key spaces. It keeps
// what is named, what somebody holds and what is young, and sweeps the rest. Package
// invoke, the capability, the edge and package host import it.
package blob

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/wasmoor/wasmoor/host/internal/bucket"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Digest is the SHA-256 of the bytes of a blob.
type Digest [32]byte

// String returns it in hex.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// key is where the bytes are in the bucket: a folder has 256 others.
func (d Digest) key() string {
	text := d.String()
	return text[:2] + "/" + text
}

// digestOf returns whose key it is.
func digestOf(key string) (d Digest, ok bool) {
	if len(key) != 3+2*len(d) {
		return d, false
	}
	n, err := hex.Decode(d[:], []byte(key[3:]))
	return d, err == nil && n == len(d) && d.key() == key
}

// Config is what a Store works with. Dir is required.
type Config struct {
	// Dir is a folder for the store alone. Bytes are written there until their digest is
	// known. One process at a time may use it.
	Dir string
	// Bucket has the blobs; nil = Dir has them. No other host keeps blobs there.
	Bucket bucket.Bucket
	// Health, if not nil, is asked before each piece that is written, by many goroutines at
	// a time. After an Exhausted fault it is not: the disk has others to serve.
	Health func() error
	Log    *slog.Logger // nil drops it
}

// Store keeps blobs. Safe for concurrent use; there is nothing to close.
type Store struct {
	cfg    Config
	bucket bucket.Bucket
	unborn string // folder of what is being written

	mu       sync.Mutex
	held     map[Digest]int
	deleting map[Digest]chan struct{} // closed once they are gone
	touched  map[Digest]struct{}      // held since a sweep has begun; nil = none is under way
	kept     int                      // how many keep all blobs

	sweeping sync.Mutex
}

// OpenStore makes the folder, and removes what a process has left there that was killed
// while it wrote. Errors are Invalid: the folder cannot be used.
func OpenStore(cfg Config) (*Store, error) {
	cfg.Log = cmp.Or(cfg.Log, slog.New(slog.DiscardHandler))
	s := &Store{cfg: cfg, bucket: cfg.Bucket, held: map[Digest]int{}, deleting: map[Digest]chan struct{}{}}
	s.unborn = filepath.Join(cfg.Dir, ".new")
	err := os.RemoveAll(s.unborn)
	if err == nil {
		err = os.MkdirAll(s.unborn, 0o700)
	}
	if err == nil && s.bucket == nil {
		var dir string
		if dir, err = filepath.Abs(cfg.Dir); err == nil {
			s.bucket, err = bucket.Open(dir)
		}
	}
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, "open", fmt.Sprintf("cannot use %q for blobs", cfg.Dir), err)
	}
	return s, nil
}

// String says where the blobs are, without credentials.
func (s *Store) String() string { return s.bucket.String() }

// Remote reports whether the blobs are in S3.
func (s *Store) Remote() bool {
	_, local := bucket.Folder(s.bucket)
	return !local
}

// Held is a blob that no sweep takes until Release. Its fields are only read.
type Held struct {
	Digest Digest
	Size   int64 // bytes
	store  *Store
	ended  sync.Once
}

// Release ends the hold. Calling it again, or for nil, is fine.
func (h *Held) Release() {
	if h != nil {
		h.ended.Do(func() { h.store.release(h.Digest) })
	}
}

// Again returns another hold of a blob that is held.
func (h *Held) Again() *Held {
	h.store.mu.Lock()
	defer h.store.mu.Unlock()
	h.store.take(h.Digest)
	return &Held{Digest: h.Digest, Size: h.Size, store: h.store}
}

// Open reads length bytes of the blob from offset on, all that follow when length is
// below 0. See Store.Open.
func (h *Held) Open(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
	return h.store.Open(ctx, h.Digest, offset, length)
}

// Hold holds a blob that a name says there is, of size bytes. A sweep that is removing it
// ends before: whether it is there, Open says. The error is that of ctx.
func (s *Store) Hold(ctx context.Context, d Digest, size int64) (*Held, error) {
	for {
		s.mu.Lock()
		gone, busy := s.deleting[d]
		if !busy {
			s.take(d)
			s.mu.Unlock()
			return &Held{Digest: d, Size: size, store: s}, nil
		}
		s.mu.Unlock()
		select {
		case <-gone:
		case <-ctx.Done():
			return nil, fault.Wrap(fault.Deadline, "hold", "blob "+d.String(), context.Cause(ctx))
		}
	}
}

// Keep has no sweep take any blob until done, and waits for one that is being removed:
// what is there stays, named or not. The error is that of ctx.
func (s *Store) Keep(ctx context.Context) (done func(), err error) {
	s.mu.Lock()
	s.kept++
	going := slices.Collect(maps.Values(s.deleting))
	s.mu.Unlock()
	done = sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.kept--
	})
	for _, gone := range going {
		select {
		case <-gone:
		case <-ctx.Done():
			done()
			return nil, fault.Wrap(fault.Deadline, "keep blobs", s.String(), context.Cause(ctx))
		}
	}
	return done, nil
}

// take counts a hold. The caller holds mu.
func (s *Store) take(d Digest) {
	s.held[d]++
	if s.touched != nil {
		s.touched[d] = struct{}{}
	}
}

func (s *Store) release(d Digest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[d]--; s.held[d] == 0 {
		delete(s.held, d)
	}
}

// Open reads length bytes of a blob from offset on, all that follow when length is below
// 0. One that ends before gives less. Close it. Errors by fault code: NotFound, and those
// of bucket.Bucket.
func (s *Store) Open(ctx context.Context, d Digest, offset, length int64) (io.ReadCloser, error) {
	return s.bucket.Get(ctx, d.key(), offset, length)
}

// Has reports whether the bytes of a blob are there. Errors are those of bucket.Bucket.
func (s *Store) Has(ctx context.Context, d Digest) (bool, error) {
	r, err := s.Open(ctx, d, 0, 1)
	if err == nil {
		return true, r.Close()
	}
	if fault.CodeOf(err) == fault.NotFound {
		return false, nil // without its bucket too: putting it says so
	}
	return false, err
}

// whole reports whether the bytes are there, and as many as size.
func (s *Store) whole(ctx context.Context, d Digest, size int64) (bool, error) {
	r, err := s.Open(ctx, d, max(size-1, 0), 2) // the last byte, and none after it
	if fault.CodeOf(err) == fault.NotFound {
		return false, nil // without its bucket too: putting it says so
	}
	if err != nil {
		return false, err
	}
	n, err := io.Copy(io.Discard, r)
	return n == min(size, 1), errors.Join(err, r.Close())
}
