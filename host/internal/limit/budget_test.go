package limit

import (
	"sync"
	"sync/atomic"
	"testing"
)

// TestBudgetHolds has many holders take and give back: together they never have
// more than there is, and in the end all of it is there again.
func TestBudgetHolds(t *testing.T) {
	const size, holders = 1000, 16
	b := NewBudget(size)
	var taken, refused atomic.Int64
	var wg sync.WaitGroup
	for h := range holders {
		wg.Go(func() {
			for i := range 2000 {
				s := b.Share()
				n := 1 + (i*7+h*131)%400
				if !s.Take(n) {
					refused.Add(1)
					continue
				}
				if now := taken.Add(int64(n)); now > size {
					t.Errorf("%d of %d bytes are taken", now, size)
				}
				taken.Add(-int64(n))
				s.Give()
				s.Give() // twice is once
			}
		})
	}
	wg.Wait()
	if b.Left() != size {
		t.Errorf("%d of %d bytes are left", b.Left(), size)
	}
	if s := b.Share(); !s.Take(size) || s.Take(1) || s.Held() != size {
		t.Errorf("a share of everything has %d", s.Held())
	}
	var free Share
	if !free.Take(1<<40) || free.Held() != 1<<40 {
		t.Error("a share of nothing has a bound")
	}
}
