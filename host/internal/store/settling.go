package store

// Settling is what becomes of commits that are decided and on their way to the
// disk together. A nil Settling is durable. Safe for concurrent use.
type Settling struct {
	done          chan struct{}
	written, read error
}

// NewSettling returns one that is not settled.
func NewSettling() *Settling { return &Settling{done: make(chan struct{})} }

// Settle ends the waits. written is the error of commits that are part of it, and
// read that of whoever has only seen them; both are nil when they are durable. It
// is called once.
func (s *Settling) Settle(written, read error) {
	s.written, s.read = written, read
	close(s.done)
}

// Wait returns once the commits are durable. Errors by fault code: Unknown (they
// were being written when the disk failed), Unavailable (they were not written).
func (s *Settling) Wait() error {
	if s == nil {
		return nil
	}
	<-s.done
	return s.written
}

// WaitRead is Wait for whoever has read what the commits wrote and has no effects
// among them: every error is Unavailable, nothing was done.
func (s *Settling) WaitRead() error {
	if s == nil {
		return nil
	}
	<-s.done
	return s.read
}
