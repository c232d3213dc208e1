package store

// Settling is what becomes of commits that are decided and on their way to the
// disk together. A nil Settling is durable. Safe for concurrent use.
type Settling struct {
	done          chan struct{}
	written, read error
	then          []func()
}

// NewSettling returns one that is not settled.
func NewSettling() *Settling { return &Settling{done: make(chan struct{})} }

// Then has do called once the commits are durable and snapshots show them, before
// anybody who waits is told. What is given first is called first. It is not safe for
// concurrent use, and Settle comes after the last.
func (s *Settling) Then(do func()) { s.then = append(s.then, do) }

// Settle ends the waits. written is the error of commits that are part of it, and
// read that of whoever has only seen them; both are nil when they are durable. It
// is called once.
func (s *Settling) Settle(written, read error) {
	s.written, s.read = written, read
	if written == nil {
		for _, do := range s.then {
			do()
		}
	}
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
