package linear

import (
	"fmt"
	"testing"
)

// noise returns an image of which no page is zeros.
func noise(size int) []byte {
	mem := make([]byte, size)
	for i := range mem {
		mem[i] = byte(i>>8 ^ i*7 | 1)
	}
	return mem
}

func opened(tb testing.TB, image *Image, limit int, track func() tracker) *Memory {
	tb.Helper()
	p := newPool(NewBudget(0), limit, image, track)
	tb.Cleanup(p.Close)
	m, err := p.New(0)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(m.Free)
	m.Reallocate(uint64(image.Size()))
	return m
}

func imaged(tb testing.TB, mem []byte) *Image {
	tb.Helper()
	image, err := NewImage(mem)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(image.Close)
	return image
}

// scatter writes a byte to each of n pages, spread over the memory.
func scatter(mem []byte, n int) {
	if n == 0 {
		return
	}
	pages := len(mem) / systemPage
	for i := range n {
		mem[i*pages/n*systemPage+i]++
	}
}

// BenchmarkReset writes to pages of a memory and puts it back.
func BenchmarkReset(bench *testing.B) {
	for _, size := range []int{64 << 10, 1 << 20, 4 << 20} {
		for _, dirty := range []int{0, 1, 4, 26, 59, 256} {
			if dirty*systemPage > size {
				continue
			}
			bench.Run(fmt.Sprintf("%dKiB/%d", size>>10, dirty), func(bench *testing.B) {
				m := opened(bench, imaged(bench, noise(size)), 16<<20, newTracker)
				bench.ReportAllocs()
				for bench.Loop() {
					scatter(m.bytes, dirty)
					if !m.Reset(nil) {
						bench.Fatal("not put back")
					}
				}
			})
		}
	}
}
