package blob

import (
	"sync/atomic"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Stats are what a Store has done since it was opened, and has at the moment.
type Stats struct {
	PutBytes  int64 // that were stored, equal ones again
	GetBytes  int64 // that were asked for
	Failures  int64 // of what the place was asked
	OpenBytes int64 // of plugins' blobs that are written, or have no durable name yet
	LostBytes int64 // of those that have lost their name and wait for a sweep
}

// counts are those that need no lock.
type counts struct{ putBytes, gotBytes, failures atomic.Int64 }

// count notes an error of the place, and returns it.
func (s *Store) count(err error) error {
	switch fault.CodeOf(err) {
	case "", fault.NotFound, fault.Deadline:
	default:
		s.counts.failures.Add(1)
	}
	return err
}

// Stats returns them.
func (s *Store) Stats() Stats {
	st := Stats{PutBytes: s.counts.putBytes.Load(), GetBytes: s.counts.gotBytes.Load(), Failures: s.counts.failures.Load()}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.accounts {
		st.OpenBytes += a.open
		st.LostBytes += a.lostBytes()
	}
	return st
}
