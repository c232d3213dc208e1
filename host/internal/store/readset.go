package store

import (
	"bytes"
	"slices"
	"sort"
	"strings"
)

// Bounds of a read set. Over them it is widened to the interval that covers it:
// still sound, only conflicts become likelier, and a guest that reads without
// end costs neither memory here nor time in the committer.
const (
	maxReadKeys     = 10_000
	maxReadKeyBytes = 1 << 20
	maxReadRanges   = 1_000
)

// readSet is what a transaction has seen of the stored state: keys looked up,
// absent ones included, and intervals scanned.
type readSet struct {
	keys   map[string]struct{}
	bytes  int
	ranges []Range // sorted, disjoint, not adjacent
}

func (r *readSet) reset() {
	clear(r.keys)
	r.bytes = 0
	r.ranges = r.ranges[:0]
}

// addKey records a point read. A key within a recorded interval adds nothing.
func (r *readSet) addKey(key []byte) {
	if _, ok := r.keys[string(key)]; ok || r.covers(key) {
		return
	}
	if r.keys == nil {
		r.keys = make(map[string]struct{})
	}
	r.keys[string(key)] = struct{}{}
	r.bytes += len(key)
	if len(r.keys) > maxReadKeys || r.bytes > maxReadKeyBytes {
		r.widenKeys()
	}
}

// covers reports whether a recorded interval holds key.
func (r *readSet) covers(key []byte) bool {
	i := sort.Search(len(r.ranges), func(i int) bool { return bytes.Compare(r.ranges[i].From, key) > 0 })
	return i > 0 && r.ranges[i-1].Contains(key)
}

// widenKeys replaces the point reads by the interval that covers them all.
func (r *readSet) widenKeys() {
	var low, high string
	first := true
	for k := range r.keys {
		if first || k < low {
			low = k
		}
		if first || k > high {
			high = k
		}
		first = false
	}
	clear(r.keys)
	r.bytes = 0
	r.addRange([]byte(low), after([]byte(high)))
}

// addRange records [from, to); nil to is the end of the space. It keeps the
// slices.
func (r *readSet) addRange(from, to []byte) {
	if to != nil && bytes.Compare(from, to) >= 0 {
		return
	}
	// All ranges in [i, j) touch the new one.
	i := sort.Search(len(r.ranges), func(i int) bool {
		return r.ranges[i].To == nil || bytes.Compare(r.ranges[i].To, from) >= 0
	})
	j := i
	for j < len(r.ranges) && (to == nil || bytes.Compare(r.ranges[j].From, to) <= 0) {
		if bytes.Compare(r.ranges[j].From, from) < 0 {
			from = r.ranges[j].From
		}
		if to != nil && (r.ranges[j].To == nil || bytes.Compare(r.ranges[j].To, to) > 0) {
			to = r.ranges[j].To
		}
		j++
	}
	r.ranges = slices.Replace(r.ranges, i, j, Range{From: from, To: to})
	if n := len(r.ranges); n > maxReadRanges {
		r.ranges = append(r.ranges[:0], Range{From: r.ranges[0].From, To: r.ranges[n-1].To})
	}
}

// sortedKeys returns the point reads in order.
func (r *readSet) sortedKeys() [][]byte {
	if len(r.keys) == 0 {
		return nil
	}
	names := make([]string, 0, len(r.keys))
	for k := range r.keys {
		names = append(names, k)
	}
	slices.SortFunc(names, strings.Compare)
	keys := make([][]byte, len(names))
	for i, k := range names {
		keys[i] = []byte(k)
	}
	return keys
}

// after returns the least key greater than key.
func after(key []byte) []byte {
	b := make([]byte, len(key)+1)
	copy(b, key)
	return b
}

// prefixEnd returns the least key greater than every key that starts with
// prefix; nil when there is none.
func prefixEnd(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xff {
			end := bytes.Clone(prefix[:i+1])
			end[i]++
			return end
		}
	}
	return nil
}
