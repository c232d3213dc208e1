package wire

import "sync/atomic"

// Budget is a number of bytes that many requests share. Safe for concurrent use.
type Budget struct{ left atomic.Int64 }

// NewBudget returns a Budget of n bytes.
func NewBudget(n int64) *Budget {
	b := new(Budget)
	b.left.Store(n)
	return b
}

// Share returns an empty share of the budget.
func (b *Budget) Share() Share { return Share{of: b} }

// Share is a part of a Budget. The zero Share belongs to none and has no bound.
// Not safe for concurrent use.
type Share struct {
	of   *Budget
	held int64 // bytes
}

// Take enlarges the share by n bytes, if they are left.
func (s *Share) Take(n int) bool {
	if s.of == nil {
		return true
	}
	if s.of.left.Add(int64(-n)) < 0 {
		s.of.left.Add(int64(n))
		return false
	}
	s.held += int64(n)
	return true
}

// Give gives everything back.
func (s *Share) Give() {
	if s.held > 0 {
		s.of.left.Add(s.held)
		s.held = 0
	}
}
