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

// BenchmarkNewFromImage makes a memory, writes to a page and frees it.
func BenchmarkNewFromImage(bench *testing.B) {
	for _, size := range []int{64 << 10, 4 << 20} {
		bench.Run(fmt.Sprintf("%dKiB", size>>10), func(bench *testing.B) {
			p := NewPool(NewBudget(0), 64<<20, imaged(bench, noise(size)))
			defer p.Close()
			for bench.Loop() {
				m, err := p.New(0)
				if err != nil {
					bench.Fatal(err)
				}
				m.Reallocate(uint64(size))[0] = 1
				m.Free()
			}
		})
	}
}

func opened(tb testing.TB, image *Image, limit int, track func([]byte) tracker) *Memory {
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

// BenchmarkBody writes 1 MiB, as a guest does that receives a large body, to
// pages of the image, or to pages it grows by: with the memory put back after it
// (reset), left as it is (reuse), and with all pages dropped (drop).
func BenchmarkBody(bench *testing.B) {
	const size, body = 4 << 20, 1 << 20
	data := noise(body)
	for _, at := range []int{size / 2, size} {
		for _, way := range []string{"reuse", "reset", "drop"} {
			bench.Run(fmt.Sprintf("at%dMiB/%s", at>>20, way), func(bench *testing.B) {
				m := opened(bench, imaged(bench, noise(size)), 4*size, newTracker)
				shrink := func() { m.Reallocate(0) }
				for bench.Loop() {
					m.Reallocate(uint64(max(size, at+body)))
					copy(m.bytes[at:], data)
					if way != "reuse" && !m.Reset(shrink) {
						bench.Fatal("not put back")
					}
					if way == "drop" {
						m.Trim()
					}
				}
			})
		}
	}
}
