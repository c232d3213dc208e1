package store

import (
	"bytes"
	"slices"
	"sort"
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
	keys   []readKey
	index  map[string]struct{} // the keys, where there are more than few
	bytes  int
	memory []byte  // what the next keys are copied to
	ranges []Range // sorted, disjoint, not adjacent
	joined bool    // neighbours were merged
}

// readKey is a key that was looked up, with what it held.
type readKey struct {
	key   []byte
	found State
}

// few is how many keys are compared one by one.
const few = 8

func (r *readSet) reset() {
	clear(r.keys)
	r.keys, r.index, r.bytes, r.memory = r.keys[:0], nil, 0, nil
	r.ranges, r.joined = r.ranges[:0], false
}

// addKey records a point read. A key within a recorded interval adds nothing.
func (r *readSet) addKey(key []byte, found State) {
	if r.has(key) || r.covers(key) {
		return
	}
	if r.index != nil {
		r.index[string(key)] = struct{}{}
	}
	r.keys = append(r.keys, readKey{r.keep(key), found})
	r.bytes += len(key)
	if len(r.keys) > maxReadKeys || r.bytes > maxReadKeyBytes {
		r.collapseKeys()
	}
}

// keep copies key: several keys take one allocation.
func (r *readSet) keep(key []byte) []byte {
	if len(key) > cap(r.memory)-len(r.memory) {
		r.memory = make([]byte, 0, max(min(128+2*cap(r.memory), 4096), len(key)))
	}
	n := len(r.memory)
	r.memory = append(r.memory, key...)
	return r.memory[n:len(r.memory):len(r.memory)]
}

// has reports whether key was looked up.
func (r *readSet) has(key []byte) bool {
	if len(r.keys) <= few {
		return slices.ContainsFunc(r.keys, func(k readKey) bool { return bytes.Equal(k.key, key) })
	}
	if r.index == nil {
		r.index = make(map[string]struct{}, 2*len(r.keys))
		for _, k := range r.keys {
			r.index[string(k.key)] = struct{}{}
		}
	}
	_, ok := r.index[string(key)]
	return ok
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
	for _, k := range r.keys {
		end := after(k.key)
		all = append(all, Range{From: end[:len(k.key):len(k.key)], To: end})
	}
	slices.SortFunc(all, func(a, b Range) int { return bytes.Compare(a.From, b.From) })
	clear(r.keys)
	r.keys, r.index, r.bytes, r.memory = r.keys[:0], nil, 0, nil
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
	r.joined = true
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

// sort puts the keys in order.
func (r *readSet) sort() {
	slices.SortFunc(r.keys, func(a, b readKey) int { return bytes.Compare(a.key, b.key) })
}

// sortedKeys returns the point reads in order; sort comes before.
func (r *readSet) sortedKeys() [][]byte {
	if len(r.keys) == 0 {
		return nil
	}
	keys := make([][]byte, len(r.keys))
	for i := range r.keys {
		keys[i] = r.keys[i].key
	}
	return keys
}

// found returns what a key held that was looked up, nil if it was not; sort comes
// before.
func (r *readSet) found(key []byte) *State {
	i, ok := slices.BinarySearchFunc(r.keys, key, func(k readKey, key []byte) int { return bytes.Compare(k.key, key) })
	if !ok {
		return nil
	}
	return &r.keys[i].found
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
