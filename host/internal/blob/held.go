package blob

import (
	"context"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// entry is what is known of a blob that somebody holds.
type entry struct {
	holds int
	owner string // who made it while it was held; "" = it was there before, or the host did
	size  int64
	kept  bool // it may have a name
	named bool // it has one
}

// Held is a blob that no sweep takes until Release or Drop. Its fields are only read.
type Held struct {
	Digest Digest
	Size   int64 // bytes

	store *Store
	ended sync.Once
}

// Release ends the hold of a blob that may have a name. Calling it again, or for nil, is
// fine.
func (h *Held) Release() {
	if h != nil {
		h.ended.Do(func() { h.store.release(h.Digest, func(e *entry) { e.kept = true }) })
	}
}

// Named ends the hold of a blob that has a name which is durable.
func (h *Held) Named() {
	h.ended.Do(func() { h.store.release(h.Digest, func(e *entry) { e.kept, e.named = true, true }) })
}

// Drop ends the hold of a blob to which the holder has given no name. If it was not there
// before, and all who held it meanwhile drop it, it is removed at once. Calling it for nil
// is fine.
func (h *Held) Drop() {
	if h != nil {
		h.ended.Do(func() { h.store.release(h.Digest, func(*entry) {}) })
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
	r, err := h.store.Open(ctx, h.Digest, offset, length)
	if err != nil {
		return nil, err
	}
	n := max(h.Size-offset, 0)
	if length >= 0 {
		n = min(n, length)
	}
	h.store.counts.gotBytes.Add(n)
	return r, nil
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
	e := s.held[d]
	if e == nil {
		e = &entry{}
		s.held[d] = e
	}
	e.holds++
	if s.touched != nil {
		s.touched[d] = struct{}{}
	}
}

// removal bounds what the end of a request waits for the removal of a blob.
const removal = 10 * time.Second

// release ends a hold, of which say tells what becomes of the blob. The last one settles
// what its owner is charged for.
func (s *Store) release(d Digest, say func(*entry)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.held[d]
	say(e)
	if e.holds--; e.holds > 0 {
		return
	}
	delete(s.held, d)
	switch {
	case e.owner == "":
	case e.named:
		s.give(e.owner, e.size)
	case e.kept || s.discard(d) != nil:
		s.lose(e.owner, e.size)
	default:
		s.give(e.owner, e.size)
	}
}

// discard removes a blob that nobody holds. The caller holds mu, which it gives up
// meanwhile.
func (s *Store) discard(d Digest) error {
	gone := make(chan struct{})
	s.deleting[d] = gone
	s.mu.Unlock()
	ctx, end := context.WithTimeout(context.Background(), removal)
	err := s.count(s.bucket.Delete(ctx, d.key()))
	end()
	s.mu.Lock()
	delete(s.deleting, d)
	close(gone)
	return err
}
