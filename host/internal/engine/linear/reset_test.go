package linear

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// TestResetProperty writes, grows, shrinks and trims at random: after each reset
// the memory is the image, what it grows by is zeros, and the budget counts what
// may be in memory.
func TestResetProperty(t *testing.T) {
	for name, make := range ways {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { resetProperty(t, make) })
		})
	}
}

// ways are the ways in which a memory of an image is put back here and on other
// systems.
var ways = map[string]func(b Budget, limit int, mem []byte) (*Pool, *Image){
	"default": func(b Budget, limit int, mem []byte) (*Pool, *Image) {
		image, err := NewImage(mem)
		if err != nil {
			panic(err)
		}
		return NewPool(b, limit, image), image
	},
	"untracked": func(b Budget, limit int, mem []byte) (*Pool, *Image) {
		image, err := NewImage(mem)
		if err != nil {
			panic(err)
		}
		return newPool(b, limit, image, func([]byte) tracker { return nil }), image
	},
	"plain": func(b Budget, limit int, mem []byte) (*Pool, *Image) {
		image := plainImage(mem)
		return NewPool(b, limit, image), image
	},
	"heap": func(b Budget, limit int, mem []byte) (*Pool, *Image) {
		image := plainImage(mem)
		p := NewPool(b, limit, image)
		p.heap = true
		return p, image
	},
	"zeros": func(b Budget, limit int, mem []byte) (*Pool, *Image) {
		clear(mem)
		return NewPool(b, limit, nil), nil
	},
}

func resetProperty(t *rapid.T, open func(Budget, int, []byte) (*Pool, *Image)) {
	const limit = 110 * page
	b := NewBudget(rapid.SampledFrom([]int64{limit, 4 * limit}).Draw(t, "budget"))
	size := rapid.SampledFrom([]int{0, 1, 2, 3, 16, 40}).Draw(t, "pages") * page
	want := noise(size)
	clear(want[size/3 : size/2])
	p, image := open(b, limit, want)
	m, err := p.New(size)
	if err != nil {
		t.Fatal(err)
	}
	mem := m.Reallocate(uint64(size))
	for range rapid.IntRange(1, 24).Draw(t, "calls") {
		if !bytes.Equal(mem, want) {
			t.Fatal("not the image")
		}
		if more := rapid.SampledFrom([]int{0, 0, 0, 1, 2, 20, 70}).Draw(t, "growth"); more > 0 {
			if mem = m.Reallocate(uint64(size + more*page)); mem == nil {
				t.Fatal("not grown within limit and budget")
			}
			if !zero(mem[size:]) {
				t.Fatal("growth is not zeros")
			}
		}
		scribble(t, mem)
		if !m.Reset(func() { mem = m.Reallocate(uint64(len(mem) + page)) }) {
			t.Fatal("not put back")
		}
		if b.Size()-b.Left() != int64(m.taken) || m.taken > size+maxGrown || m.taken < m.high {
			t.Fatalf("%d bytes of the budget are taken for %d that may be touched, of %d", m.taken, m.high, size)
		}
		if rapid.IntRange(0, 9).Draw(t, "trim") == 0 {
			m.Trim()
			if m.reverts && m.taken != size {
				t.Fatalf("trimmed, %d bytes of the budget are taken, want %d", m.taken, size)
			}
		}
		mem = m.Bytes()
	}
	m.Free()
	p.Close()
	if image != nil {
		image.Close()
	}
	if b.Left() != b.Size() {
		t.Fatalf("%d bytes of the budget are gone", b.Size()-b.Left())
	}
}

// scribble writes to runs of pages.
func scribble(t *rapid.T, mem []byte) {
	if len(mem) == 0 {
		return
	}
	for range rapid.IntRange(0, 4).Draw(t, "runs") {
		at := rapid.IntRange(0, len(mem)-1).Draw(t, "at")
		end := min(len(mem), at+rapid.SampledFrom([]int{1, 8, systemPage, 40 * systemPage, 300 * systemPage}).Draw(t, "length"))
		for i := at; i < end; i++ {
			mem[i] ^= 0xa5
		}
	}
	if stride := rapid.SampledFrom([]int{0, 2, 3}).Draw(t, "stride"); stride > 0 { // more runs than a tracker returns at once
		for i := 0; i < len(mem); i += stride * systemPage {
			mem[i] ^= 0xff
		}
	}
}

func TestResetNeedsTheEngine(t *testing.T) {
	m := opened(t, imaged(t, noise(page)), 4*page, newTracker)
	m.Reallocate(2 * page)
	if m.Reset(func() {}) {
		t.Error("put back without the engine knowing")
	}
	if m.Reallocate(3*page) == nil {
		t.Error("a later growth answers the reset before")
	}
}

func TestResetAllocatesNothing(t *testing.T) {
	m := opened(t, imaged(t, noise(64*page)), 128*page, newTracker)
	grow := func() { m.Reallocate(200 * page) }
	call := func() {
		m.Reallocate(100 * page)
		scatter(m.bytes, 700)
		if !m.Reset(grow) {
			t.Error("not put back")
		}
	}
	call()
	if got := testing.AllocsPerRun(50, call); got != 0 {
		t.Errorf("%v allocations a reset, want none", got)
	}
}

// dropped counts the ranges that a memory drops.
type dropped struct {
	tracker
	n *int
}

func (d dropped) restored(part []byte) {
	*d.n++
	d.tracker.restored(part)
}

// TestUsedPagesStay: pages that every call writes to and leaves as they were are
// not dropped, as that would cost faults for nothing.
func TestUsedPagesStay(t *testing.T) {
	n := 0
	m := opened(t, imaged(t, noise(8*page)), 8*page, func(image []byte) tracker {
		tracker := newTracker(image)
		if tracker == nil {
			t.Skip("nothing tells here what was written")
		}
		return dropped{tracker, &n}
	})
	for call := range 10 * sweepEvery {
		scatter(m.bytes, 20)
		for range 2 {
			for i := range fewUnused {
				m.bytes[(i+1)*page-1] ^= 1
			}
		}
		if !m.Reset(nil) {
			t.Fatal("not put back")
		}
		if call == 0 {
			n = 0 // the first reset makes them known
		}
	}
	if n > 0 {
		t.Errorf("%d ranges were dropped", n)
	}
}

// TestBudgetTight keeps no growth when the budget runs low.
func TestBudgetTight(t *testing.T) {
	b := NewBudget(10 * page)
	p := NewPool(b, 8*page, imaged(t, noise(4*page)))
	defer p.Close()
	m, err := p.New(0)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Free()
	m.Reallocate(4 * page)
	m.Reallocate(8 * page)
	if !m.Reset(func() { m.Reallocate(9 * page) }) || b.Left() != 6*page {
		t.Errorf("%d pages of the budget are left, want 6", b.Left()/page)
	}
}
