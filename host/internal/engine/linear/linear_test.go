package linear

import (
	"bytes"
	"sync"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

const page = 64 << 10

// each runs a test on reserved memory and on Go's heap.
func each(t *testing.T, test func(t *testing.T, b Budget, open func(min, limit int) *Memory)) {
	for _, heap := range []bool{false, true} {
		name := map[bool]string{false: "reserved", true: "heap"}[heap]
		t.Run(name, func(t *testing.T) {
			b := NewBudget(8 * page)
			test(t, b, func(min, limit int) *Memory {
				p := NewPool(b, limit, nil)
				p.heap = heap
				t.Cleanup(p.Close)
				m, err := p.New(min)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(m.Free)
				return m
			})
		})
	}
}

func TestGrowthKeepsBytesAndIsZero(t *testing.T) {
	each(t, func(t *testing.T, _ Budget, open func(min, limit int) *Memory) {
		m := open(page, 4*page)
		first := m.Reallocate(page)
		if len(first) != page || bytes.Count(first, []byte{0}) != page {
			t.Fatalf("a new memory has %d bytes, want %d zeros", len(first), page)
		}
		first[0], first[page-1] = 1, 2
		for size := uint64(2 * page); size <= 4*page; size += page {
			grown := m.Reallocate(size)
			if len(grown) != int(size) || grown[0] != 1 || grown[page-1] != 2 {
				t.Fatalf("grown to %d: %d bytes, first %d, last of the first page %d", size, len(grown), grown[0], grown[page-1])
			}
			if rest := grown[page:]; bytes.Count(rest, []byte{0}) != len(rest) {
				t.Fatalf("grown to %d: the new bytes are not zero", size)
			}
		}
		if m.Reallocate(5*page) != nil {
			t.Error("grown over its limit")
		}
		if len(m.Bytes()) != 4*page {
			t.Errorf("a refused growth left %d bytes", len(m.Bytes()))
		}
	})
}

func TestBudget(t *testing.T) {
	each(t, func(t *testing.T, b Budget, open func(min, limit int) *Memory) {
		first, second := open(2*page, 8*page), open(2*page, 8*page)
		if first.Reallocate(5*page) == nil {
			t.Fatal("not grown within the budget")
		}
		if second.Reallocate(2*page) == nil {
			t.Fatal("the minimum was not taken ahead")
		}
		if second.Reallocate(4*page) != nil {
			t.Error("grown over the budget")
		}
		if _, err := NewPool(b, 2*page, nil).New(2 * page); fault.CodeOf(err) != fault.Unavailable {
			t.Errorf("a new memory over the budget: %v, want unavailable", err)
		}
		first.Free()
		if second.Reallocate(6*page) == nil {
			t.Error("not grown into what another gave back")
		}
		second.Free()
		second.Free()
		if got := b.Left(); got != 8*page {
			t.Errorf("%d bytes are left of the budget, want all %d", got, 8*page)
		}
	})
}

func TestLimit(t *testing.T) {
	for _, test := range []struct {
		memory int64
		want   int
		code   fault.Code
	}{
		{-1, 0, fault.Invalid},
		{0, 0, fault.Invalid},
		{page - 1, 0, fault.Invalid},
		{page, page, ""},
		{2*page - 1, page, ""},
		{64 << 20, 64 << 20, ""},
		{2 << 30, 2 << 30, ""},
		{2<<30 + page, 2 << 30, ""},
		{4 << 30, 2 << 30, ""},
		{1 << 62, 2 << 30, ""},
	} {
		if got, err := Limit(test.memory); got != test.want || fault.CodeOf(err) != test.code {
			t.Errorf("Limit(%d): got %d, %v, want %d, code %q", test.memory, got, err, test.want, test.code)
		}
	}
}

func TestBudgetUnderContention(t *testing.T) {
	b := NewBudget(16 * page)
	p := NewPool(b, 4*page, nil)
	defer p.Close()
	var users sync.WaitGroup
	for range 8 {
		users.Go(func() {
			for range 200 {
				m, err := p.New(page)
				if err != nil {
					continue
				}
				if mem := m.Reallocate(4 * page); mem != nil {
					if mem[4*page-1] != 0 {
						t.Error("a new memory holds what another wrote")
					}
					mem[4*page-1] = 1
				}
				m.Free()
			}
		})
	}
	users.Wait()
	if got := b.Left(); got != 16*page {
		t.Errorf("%d bytes are left of the budget, want %d", got, 16*page)
	}
}

// BenchmarkNew makes a memory, touches a page and frees it: what each request
// pays.
func BenchmarkNew(bench *testing.B) {
	p := NewPool(NewBudget(0), 64<<20, nil)
	defer p.Close()
	bench.ReportAllocs()
	for bench.Loop() {
		m, err := p.New(page)
		if err != nil {
			bench.Fatal(err)
		}
		m.Reallocate(page)[0] = 1
		m.Free()
	}
}
