package blob

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/bucket"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Swept says what a sweep found and did.
type Swept struct {
	Blobs, Bytes          int64 // that are there, after it
	Unnamed, UnnamedBytes int64 // of these: that no name holds
	Missing               int64 // that a name holds and are not there
	Removed, RemovedBytes int64
}

// leftoverAge is after what time an upload to a bucket that has not ended never will.
const leftoverAge = 24 * time.Hour

// Sweep removes the blobs that no name holds, nobody holds and that were put before a
// time, and what uploads have left. Named gives the digests of all names that are durable
// when it is called, which it is after the sweep has begun: whoever names a blob holds it
// until the name is durable. After an error of named nothing is removed. One sweep runs
// at a time.
func (s *Store) Sweep(ctx context.Context, named iter.Seq2[Digest, error], before time.Time) (Swept, error) {
	s.sweeping.Lock()
	defer s.sweeping.Unlock()
	defer s.begin()()
	began := time.Now()
	names := names{}
	for d, err := range named {
		if err != nil {
			return Swept{}, err
		}
		names[short(d)] = false
	}
	var swept Swept
	for o, err := range s.bucket.List(ctx, "", "") {
		if err != nil {
			return swept, s.count(err)
		}
		if err := s.visit(ctx, o, names, before, &swept); err != nil {
			return swept, err
		}
	}
	if began.Before(before) {
		before = began
	}
	s.forgive(before)
	swept.Missing = names.unseen()
	if swept.Missing > 0 {
		s.cfg.Log.Error("blobs that are named are missing", "place", s.String(), "missing", swept.Missing)
	}
	_, err := s.bucket.Sweep(ctx, "", time.Now().Add(-leftoverAge))
	return swept, err
}

// begin has each blob noted that is held from now on.
func (s *Store) begin() (end func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.touched, s.spared = make(map[Digest]struct{}, len(s.held)), false
	for d := range s.held {
		s.touched[d] = struct{}{}
	}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.touched = nil
	}
}

// names are the blobs that have one, by a part of their digest to have many in little
// memory, and whether they were seen. Where two share the part, one more stays.
type names map[uint64]bool

func short(d Digest) uint64 { return binary.BigEndian.Uint64(d[:]) }

func (n names) unseen() (count int64) {
	for _, seen := range n {
		if !seen {
			count++
		}
	}
	return count
}

// visit judges an object of the bucket.
func (s *Store) visit(ctx context.Context, o bucket.Object, names names, before time.Time, swept *Swept) error {
	d, ok := digestOf(o.Key)
	if !ok {
		return nil // it is none of the host's
	}
	if _, named := names[short(d)]; named {
		names[short(d)] = true
		swept.Blobs++
		swept.Bytes += o.Size
		return nil
	}
	removed := false
	if o.Modified.Before(before) {
		var err error
		if removed, err = s.remove(ctx, d); err != nil {
			return fault.Wrap(fault.CodeOf(err), "sweep", fmt.Sprintf("blob %s cannot be removed", d), err)
		}
	}
	if removed {
		swept.Removed++
		swept.RemovedBytes += o.Size
		return nil
	}
	swept.Blobs++
	swept.Bytes += o.Size
	swept.Unnamed++
	swept.UnnamedBytes += o.Size
	return nil
}

// remove removes a blob unless somebody has held it since the sweep began, or keeps all.
func (s *Store) remove(ctx context.Context, d Digest) (bool, error) {
	gone := make(chan struct{})
	s.mu.Lock()
	_, held := s.touched[d]
	_, busy := s.deleting[d]
	if s.kept > 0 {
		s.spared = true
	}
	if held || busy || s.kept > 0 {
		s.mu.Unlock()
		return false, nil
	}
	s.deleting[d] = gone
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.deleting, d)
		close(gone)
	}()
	return true, s.count(s.bucket.Delete(ctx, d.key()))
}
