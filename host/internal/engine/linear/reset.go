package linear

import (
	"bytes"
	"os"
)

// Putting back a page costs a tenth and less of the fault that follows dropping
// it, so pages stay in memory for the next call, within bounds. Finding the
// pages costs by those that are mapped, read or written, and so by what the
// guest uses of its memory. BenchmarkReset and BenchmarkBody have the figures.
const (
	// small memories are put back whole, which is faster than asking the kernel
	// what was written.
	small = 128 << 10

	// maxKept bounds the bytes of its own that a memory keeps.
	maxKept = 8 << 20

	// maxGrown bounds those of them beyond its first size, which it takes from
	// the budget.
	maxGrown = 4 << 20

	// sweepEvery is how many calls an unused page is put back for before it is
	// dropped.
	sweepEvery = 16

	// fewUnused is how many pages are put back for nothing, and a third of all
	// are: a call may write to a page and leave it as it was, and to drop that
	// costs a fault in the next call, for which other processors are interrupted.
	fewUnused = 8

	// maxCompared is the largest memory that is compared with its image where
	// the kernel does not tell what was written.
	maxCompared = 1 << 20
)

// run is a range of bytes of a memory, whole pages of the system, as the kernel
// lays it out (struct page_region of linux/fs.h, of which it fills addresses).
type run struct{ from, to, _ uint64 }

// tracker finds the pages of a mapping that were written. One memory uses it at
// a time.
type tracker interface {
	// next returns runs of written pages of space at or after at, and where to go
	// on: len(space) when that was all. The runs are valid until the next call.
	// Not ok when the system does not say.
	next(space []byte, at int) (runs []run, end int, ok bool)
	// restored says that a part of the mapping of the image shows it again: what
	// is written from here on is what counts.
	restored(part []byte)
}

// Reset puts the memory back as its pool's image, of its first size. If it has
// grown, shrink is called, which must make the engine call Reallocate once,
// with whatever size: wazero's api.Memory.Grow(1) does, if the maximum the
// engine knows is over the pool's limit. What is answered there is the first
// size, and it is what the engine takes for the memory's from then on. Nothing
// of the instance may run meanwhile. Up to 8 MiB stay in memory, of which growth
// counts against the budget until Trim, Free or a later Reset. Allocates
// nothing after the first time.
//
// False = the memory could not be put back; the instance is of no further use.
func (m *Memory) Reset(shrink func()) bool {
	m.resets++
	if !m.restore() {
		return false
	}
	m.settle()
	if len(m.bytes) == m.start {
		return true
	}
	m.shrinking = true
	shrink()
	done := !m.shrinking
	m.shrinking = false
	return done
}

// Trim drops the pages that an idle memory keeps for its next call. It must be
// as the pool's image, which is what is read there from then on.
func (m *Memory) Trim() {
	if m.reverts && m.drop(0, m.high) {
		m.high = len(m.bytes)
		m.settle()
	}
}

func (m *Memory) restore() bool {
	end := m.keptEnd()
	ok := true
	switch size := len(m.bytes); {
	case !m.reverts:
		m.restoreCompared(size)
	case size <= small:
		m.putBack(0, size)
	default:
		ok = m.restoreWritten(min(end, size))
	}
	if m.reverts && end < m.high {
		ok = m.drop(end, m.high) && ok
	}
	if ok {
		m.high = end
	}
	return ok
}

// keptEnd is where pages are dropped from, whatever is in them.
func (m *Memory) keptEnd() int {
	end := min(m.high, m.start+maxGrown)
	switch {
	case m.pool.budget.tight():
		return m.start
	case m.sweeps(): // what this call did not ask for
		return min(end, len(m.bytes))
	}
	return end
}

// sweeps reports whether this reset drops pages of no recent use.
func (m *Memory) sweeps() bool { return m.resets%sweepEvery == 0 }

// restoreWritten puts the first end bytes back, by what the kernel says was
// written.
func (m *Memory) restoreWritten(end int) bool {
	first := m.tracker == nil
	if first {
		if m.tracker = m.pool.track(m.space[:m.pool.image.Size()]); m.tracker == nil {
			return m.restoreUntracked(end)
		}
	}
	ok := m.restoreRuns(end)
	if first && ok {
		m.restored(0, end)
	}
	return ok
}

func (m *Memory) restoreRuns(end int) bool {
	room := maxKept - max(0, m.keptEnd()-end) // what earlier growth may have left behind end
	for at := 0; at < end; {
		runs, next, ok := m.tracker.next(m.space[:end], at)
		if !ok {
			return m.drop(0, end)
		}
		sweep := m.sweeps() && m.unused(runs)
		for _, r := range runs {
			from, to := int(r.from), min(int(r.to), int(r.from)+room)
			room -= to - from
			if !m.restoreRun(from, to, sweep) {
				return false
			}
			if to < int(r.to) {
				return m.drop(to, end)
			}
		}
		at = next
	}
	return true
}

func (m *Memory) restoreUntracked(end int) bool {
	if end > maxCompared {
		return m.drop(0, end)
	}
	m.restoreCompared(end)
	return true
}

// unused reports whether many pages of runs are as they were already.
func (m *Memory) unused(runs []run) bool {
	pages, same := 0, 0
	for _, r := range runs {
		for at := int(r.from); at < int(r.to); at += systemPage {
			pages++
			if m.unchanged(at) {
				same++
			}
		}
	}
	return same > max(fewUnused, pages/3)
}

func (m *Memory) restoreRun(from, to int, sweep bool) bool {
	if sweep {
		return m.sweep(from, to)
	}
	m.putBack(from, to)
	return true
}

// putBack copies the image over a range.
func (m *Memory) putBack(from, to int) {
	n := 0
	if image := m.pool.image.content(); from < len(image) {
		n = copy(m.bytes[from:to], image[from:])
	}
	clear(m.bytes[from+n : to])
}

// systemPage is the size of the system's pages, which divides PageSize.
var systemPage = os.Getpagesize()

// restoreCompared puts back those of the first end bytes that differ, in order
// not to make the other pages the memory's own.
func (m *Memory) restoreCompared(end int) {
	for at := 0; at < end; at += systemPage {
		if !m.unchanged(at) {
			m.putBack(at, at+systemPage)
		}
	}
}

// unchanged compares a page with the image's.
func (m *Memory) unchanged(at int) bool {
	page := m.bytes[at : at+systemPage]
	if image := m.pool.image.content(); at < len(image) {
		return bytes.Equal(page, image[at:at+systemPage])
	}
	return zero(page)
}

// drop gives the pages of a range of space back, which then read as at first;
// false where the system refuses, and they are as they were.
func (m *Memory) drop(from, to int) bool {
	if !drop(m.space[from:to]) {
		return false
	}
	m.restored(from, to)
	return true
}

// restored tells the tracker of a range that reads as at first.
func (m *Memory) restored(from, to int) {
	if to = min(to, m.pool.image.Size()); m.tracker != nil && from < to {
		m.tracker.restored(m.space[from:to])
	}
}

// sweep puts a range back and drops the pages in it that are as they were
// already: this call did not use them.
func (m *Memory) sweep(from, to int) bool {
	ok := true
	for at := from; at < to; {
		end := at
		for end < to && m.unchanged(end) {
			end += systemPage
		}
		if at < end {
			ok = m.drop(at, end) && ok
		}
		for at = end; at < to && !m.unchanged(at); at += systemPage {
			m.putBack(at, at+systemPage)
		}
	}
	return ok
}

// zero reports whether a page is all zeros: its first byte is, and each is as
// the next.
func zero(page []byte) bool {
	return page[0] == 0 && bytes.Equal(page[1:], page[:len(page)-1])
}
