package store

import (
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"
)

// Nearest says which of n intervals, in order and apart, are to be joined to the
// one before them so that keep are left and the widest gaps between them stay. gap
// returns the keys around the gap below interval i, of those from 1 on.
func Nearest(n, keep int, gap func(i int) (low, high []byte)) (join []bool) {
	gaps := make([]gapWidth, n-1)
	for i := range gaps {
		gaps[i] = gapBetween(gap(i + 1))
		gaps[i].before = i + 1
	}
	slices.SortStableFunc(gaps, func(a, b gapWidth) int { return b.compare(a) })
	join = make([]bool, n)
	for _, g := range gaps[keep-1:] {
		join[g.before] = true
	}
	return join
}

// gapWidth is how far two keys are apart, if keys are fractions in base 256:
// mantissa / 2^exponent, with the highest bit of the mantissa set.
type gapWidth struct {
	exponent int
	mantissa uint64
	before   int // the neighbour above it
}

// gapBetween returns how far low is below high, to 64 bits from where they
// differ.
func gapBetween(low, high []byte) gapWidth {
	n := 0
	for n < len(low) && n < len(high) && low[n] == high[n] {
		n++
	}
	var a, b [8]byte
	copy(a[:], low[n:])
	copy(b[:], high[n:])
	d := binary.BigEndian.Uint64(b[:]) - binary.BigEndian.Uint64(a[:])
	zeros := bits.LeadingZeros64(d)
	return gapWidth{exponent: 8*n + zeros, mantissa: d << zeros}
}

// compare orders gaps, the narrowest first.
func (g gapWidth) compare(other gapWidth) int {
	return cmp.Or(cmp.Compare(other.exponent, g.exponent), cmp.Compare(g.mantissa, other.mantissa))
}
