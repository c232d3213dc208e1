package limit

import (
	"math"
	"sync/atomic"
)

// Budget is memory or disk that many holders share, in bytes: what they have
// together never passes its size. Safe for concurrent use.
type Budget struct {
	size, left atomic.Int64
}

// NewBudget returns a budget of so many bytes; 0 = no bound.
func NewBudget(bytes int64) *Budget {
	b := &Budget{}
	b.Resize(bytes)
	return b
}

// Resize makes it a budget of so many bytes; 0 = no bound. Where more is held than
// that, nothing is left until enough was given back. Call it once at a time.
func (b *Budget) Resize(bytes int64) {
	if bytes == 0 {
		bytes = math.MaxInt64
	}
	b.left.Add(bytes - b.size.Swap(bytes))
}

// Take takes n bytes, if they are left. Give gives them back.
func (b *Budget) Take(n int64) bool {
	if b.left.Add(-n) >= 0 {
		return true
	}
	b.Give(n)
	return false
}

// Give gives back n bytes that were taken.
func (b *Budget) Give(n int64) { b.left.Add(n) }

// Size returns how many bytes there are in all.
func (b *Budget) Size() int64 { return b.size.Load() }

// Left returns how many bytes are not taken. While a Take fails it may be
// fewer, for a moment.
func (b *Budget) Left() int64 { return b.left.Load() }

// Share returns an empty share of the budget.
func (b *Budget) Share() Share { return Share{of: b} }

// Share is what one holder has of a Budget. The zero Share belongs to none and
// has no bound. Not safe for concurrent use.
type Share struct {
	of   *Budget
	held int64 // bytes
}

// Take enlarges the share by n bytes, if they are left.
func (s *Share) Take(n int) bool {
	if s.of != nil && !s.of.Take(int64(n)) {
		return false
	}
	s.held += int64(n)
	return true
}

// Held returns how many bytes the share has.
func (s *Share) Held() int64 { return s.held }

// Most returns how many bytes the share could have if nobody else had any.
func (s *Share) Most() int64 {
	if s.of == nil {
		return math.MaxInt64
	}
	return s.of.Size()
}

// Give gives everything back.
func (s *Share) Give() {
	if s.of != nil && s.held > 0 {
		s.of.Give(s.held)
	}
	s.held = 0
}
