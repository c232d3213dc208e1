// Package blob keeps bytes that never change under their SHA-256, for the whole host.
// Who names them is no matter of it: names are entries of plugins' key spaces. It keeps
// what is named, what somebody holds and what is young, and sweeps the rest. Package
// invoke, the capability, the edge and package host import it.
package blob

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/wasmoor/wasmoor/host/internal/bucket"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/disk"
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
	// MinFree is how many bytes stay free on the disk of a Bucket that is a folder; below 0
	// no bound.
	MinFree int64
	Log     *slog.Logger // nil drops it
}

// Store keeps blobs. Safe for concurrent use; there is nothing to close.
type Store struct {
	cfg    Config
	bucket bucket.Bucket
	unborn string // folder of what is being written
	free   func(dir string) (int64, error)
	counts counts

	mu       sync.Mutex
	held     map[Digest]*entry
	deleting map[Digest]chan struct{} // closed once they are gone
	touched  map[Digest]struct{}      // held since a sweep has begun; nil = none is under way
	kept     int                      // how many keep all blobs
	spared   bool                     // the last sweep has left some for their sake
	accounts map[string]*account

	sweeping sync.Mutex
	pressed  chan struct{} // has one once an owner has much that a sweep would remove
}

// OpenStore makes the folder, and removes what a process has left there that was killed
// while it wrote. Errors are Invalid: the folder cannot be used.
func OpenStore(cfg Config) (*Store, error) {
	cfg.Log = cmp.Or(cfg.Log, slog.New(slog.DiscardHandler))
	s := &Store{cfg: cfg, bucket: cfg.Bucket, free: disk.Free, held: map[Digest]*entry{}, deleting: map[Digest]chan struct{}{}, accounts: map[string]*account{}, pressed: make(chan struct{}, 1)}
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

// Open reads length bytes of a blob from offset on, all that follow when length is below
// 0. One that ends before gives less. Close it. Errors by fault code: NotFound, and those
// of bucket.Bucket.
func (s *Store) Open(ctx context.Context, d Digest, offset, length int64) (io.ReadCloser, error) {
	r, err := s.bucket.Get(ctx, d.key(), offset, length)
	return r, s.count(err)
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
