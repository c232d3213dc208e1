package store

import (
	"bytes"
	"slices"
	"sort"
	"strings"
)

// Bounds of a read set. Over them its nearest neighbours are merged: that is
// still sound, because the set covers all it covered, and only writes close to
// what was read conflict in addition. A guest that reads without end costs
// neither memory here nor time in the committer.
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
		r.collapseKeys()
	}
}

// covers reports whether a recorded interval holds key.
func (r *readSet) covers(key []byte) bool {
	i := sort.Search(len(r.ranges), func(i int) bool { return bytes.Compare(r.ranges[i].From, key) > 0 })
	return i > 0 && r.ranges[i-1].Contains(key)
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
	if len(r.ranges) > maxReadRanges {
		r.collapse()
	}
}

// collapseKeys makes the point reads intervals, with their nearest neighbours.
func (r *readSet) collapseKeys() {
	all := r.ranges
	for k := range r.keys {
		end := after([]byte(k))
		all = append(all, Range{From: end[:len(k):len(k)], To: end})
	}
	slices.SortFunc(all, func(a, b Range) int { return bytes.Compare(a.From, b.From) })
	clear(r.keys)
	r.bytes = 0
	r.ranges = disjoint(all)
	r.collapse()
}

// disjoint joins what overlaps or touches in ranges, which are in order of From.
func disjoint(ranges []Range) []Range {
	joined := ranges[:0]
	for _, next := range ranges {
		last := len(joined) - 1
		switch {
		case last < 0 || joined[last].To != nil && bytes.Compare(joined[last].To, next.From) < 0:
			joined = append(joined, next)
		case joined[last].To != nil && (next.To == nil || bytes.Compare(next.To, joined[last].To) > 0):
			joined[last].To = next.To
		}
	}
	clear(ranges[len(joined):])
	return joined
}

// collapse merges neighbours until half of maxReadRanges are left, so that the
// next collapse is far.
func (r *readSet) collapse() {
	if len(r.ranges) <= maxReadRanges/2 {
		return
	}
	join := Nearest(len(r.ranges), maxReadRanges/2, func(i int) (low, high []byte) { return r.ranges[i-1].To, r.ranges[i].From })
	merged := r.ranges[:0]
	for i, next := range r.ranges {
		if join[i] {
			merged[len(merged)-1].To = next.To
		} else {
			merged = append(merged, next)
		}
	}
	clear(r.ranges[len(merged):])
	r.ranges = merged
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
