package certify

import (
	"sort"

	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Writes that are younger than Horizon but over the bounds fade: what is left of
// them is in which interval of keys they lie, and the latest revision among them.
// So a snapshot of the last 30 s never conflicts just because much was written
// since, but only where what it read lies in such an interval.
const (
	spaceSpans = 1 << 10 // most intervals of a key space
	allSpans   = 1 << 14 // of all; keys bound them to 32 MiB
)

// span is an interval of keys, both ends included, in which writes have faded.
type span struct {
	from, to string
	rev      store.Revision // of the latest
	at       int64          // window.now then
}

// fade makes a write a part of the spans of its space. It reports false where
// there are too many spaces for that.
func (w *window) fade(it *item) bool {
	s := it.space
	if w.spans >= allSpans {
		w.shrink(s, len(s.spans)/2)
	}
	if w.spans >= allSpans {
		w.dropOldSpans()
	}
	if w.spans >= allSpans {
		return false
	}
	n := len(s.spans)
	s.cover(it)
	w.spans += len(s.spans) - n
	s.faded = it.rev
	if len(s.spans) > spaceSpans {
		w.shrink(s, spaceSpans/2)
	}
	return true
}

// cover adds it to the spans.
func (s *spaceWindow) cover(it *item) {
	i := s.spanFor(it.key)
	if i < len(s.spans) && s.spans[i].from <= it.key {
		s.spans[i].rev, s.spans[i].at = it.rev, it.at // later than all that faded
		return
	}
	s.spans = append(s.spans, span{})
	copy(s.spans[i+1:], s.spans[i:])
	s.spans[i] = span{it.key, it.key, it.rev, it.at}
}

// spanFor returns the index of the first span that ends at key or above it.
func (s *spaceWindow) spanFor(key string) int {
	return sort.Search(len(s.spans), func(i int) bool { return s.spans[i].to >= key })
}

// shrink gives up the spans of s that are older than Horizon, and joins nearest
// neighbours among the others until keep are left.
func (w *window) shrink(s *spaceWindow, keep int) {
	n := len(s.spans)
	w.dropOld(s)
	if keep = max(keep, 1); len(s.spans) > keep {
		join := store.Nearest(len(s.spans), keep, func(i int) (low, high []byte) {
			return []byte(s.spans[i-1].to), []byte(s.spans[i].from)
		})
		left := s.spans[:0]
		for i, next := range s.spans {
			if last := len(left) - 1; join[i] {
				left[last].to, left[last].rev, left[last].at = next.to, max(left[last].rev, next.rev), max(left[last].at, next.at)
			} else {
				left = append(left, next)
			}
		}
		clear(s.spans[len(left):])
		s.spans = left
	}
	w.spans += len(s.spans) - n
}

// dropOld moves the horizon past the spans of s that are too old to count.
func (w *window) dropOld(s *spaceWindow) {
	left := s.spans[:0]
	for _, sp := range s.spans {
		if w.now-sp.at > Horizon.Milliseconds() {
			w.horizon = max(w.horizon, sp.rev)
		} else {
			left = append(left, sp)
		}
	}
	clear(s.spans[len(left):])
	s.spans = left
}

// dropOldSpans does that in all spaces, at most once in a Horizon.
func (w *window) dropOldSpans() {
	if w.now-w.dropped <= Horizon.Milliseconds() {
		return
	}
	w.dropped = w.now
	w.spans = 0
	for id, s := range w.spaces {
		w.dropOld(s)
		w.spans += len(s.spans)
		if s.empty() {
			delete(w.spaces, id)
		}
	}
}

// fadedSince reports whether a write after read has faded in an interval; open is
// one without an end.
func (s *spaceWindow) fadedSince(from, to string, open bool, read store.Revision) bool {
	if s.faded <= read {
		return false
	}
	for i := s.spanFor(from); i < len(s.spans) && (open || s.spans[i].from < to); i++ {
		if s.spans[i].rev > read {
			return true
		}
	}
	return false
}

// empty reports whether nothing of the space is remembered.
func (s *spaceWindow) empty() bool { return len(s.byKey) == 0 && len(s.spans) == 0 }
