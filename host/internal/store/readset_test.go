package store

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A read set over its bounds covers all that was read, and leaves free what lies
// between clusters that are far apart.
func TestReadSetCollapsesToNeighbours(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clusters := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z]{1,3}/`), 2, 20, rapid.ID).Draw(t, "clusters")
		spread := rapid.Uint64Range(1, 1<<40).Draw(t, "spread")
		asRanges := rapid.Bool().Draw(t, "ranges")
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		var set readSet
		var read [][]byte
		for range maxReadKeys + maxReadKeys/4 {
			key := binary.BigEndian.AppendUint64([]byte(clusters[random.IntN(len(clusters))]), random.Uint64N(spread))
			read = append(read, key)
			if asRanges {
				set.addRange(key, after(key))
			} else {
				set.addKey(key, State{})
			}
		}
		for _, key := range read {
			if !set.holds(key) {
				t.Fatalf("%q was read and is not covered", key)
			}
		}
		for _, cluster := range clusters {
			beyond := []byte(cluster + "\xff")
			if set.holds(beyond) {
				t.Errorf("%q is covered; all that was read is far from it", beyond)
			}
		}
		if len(set.keys) > maxReadKeys || len(set.ranges) > maxReadRanges {
			t.Errorf("%d keys and %d intervals are kept", len(set.keys), len(set.ranges))
		}
	})
}

func (r *readSet) holds(key []byte) bool {
	return r.has(key) || r.covers(key)
}

// A collapse closes no gap that is wider than one it leaves.
func TestReadSetLeavesTheWidestGaps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		var set readSet
		for len(set.ranges) < maxReadRanges { // short keys too
			key := binary.BigEndian.AppendUint64(nil, random.Uint64())[:1+random.IntN(8)]
			set.addRange(key, after(key))
		}
		before := slices.Clone(set.ranges)
		set.collapse()
		var closed, open []gapWidth
		for i, next := range before[1:] {
			g := gapBetween(before[i].To, next.From)
			if set.covers(before[i].To) {
				closed = append(closed, g)
			} else {
				open = append(open, g)
			}
		}
		widest, narrowest := slices.MaxFunc(closed, gapWidth.compare), slices.MinFunc(open, gapWidth.compare)
		if len(open) != maxReadRanges/2-1 || widest.compare(narrowest) > 0 {
			t.Errorf("%d gaps are left, the narrowest %v, and %v is closed", len(open), narrowest, widest)
		}
	})
}

// Keys at equal distances are no reason to join all of them.
func TestReadSetCollapsesALattice(t *testing.T) {
	var set readSet
	for i := range uint32(maxReadKeys + 1) {
		set.addKey(binary.BigEndian.AppendUint32(nil, i*1000), State{})
	}
	if n := len(set.ranges); n != maxReadRanges/2 {
		t.Errorf("%d intervals are left, want %d", n, maxReadRanges/2)
	}
}

func TestGap(t *testing.T) {
	for _, test := range []struct{ low, high, wider, than string }{
		{"a", "b", "a", "c"},
		{"a9", "b", "a", "b"},
		{"\x01\xff\xff", "\x02", "\x01", "\x02"},
		{"user/1", "user/2", "user/9", "usf"},
		{"k", "k\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01", "k", "k\x00\x01"},
	} {
		narrow := gapBetween([]byte(test.low), []byte(test.high))
		wide := gapBetween([]byte(test.wider), []byte(test.than))
		if narrow.compare(wide) >= 0 || wide.compare(narrow) <= 0 {
			t.Errorf("%q to %q is not narrower than %q to %q", test.low, test.high, test.wider, test.than)
		}
	}
}
