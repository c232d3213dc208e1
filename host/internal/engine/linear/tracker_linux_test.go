package linear

import (
	"bytes"
	"os"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// eachTracker runs a test with what this kernel has.
func eachTracker(t *testing.T, test func(t *testing.T, track func([]byte) tracker)) {
	has := tracking()
	all := map[string]func([]byte) tracker{}
	if has.watches {
		all["watch"] = has.watcher
	}
	if has.scans {
		all["scan"] = has.scanner
	}
	if has.reads {
		all["read"] = has.reader
	}
	if len(all) == 0 && kernelAtLeast(t, 4, 2) && os.Getuid() == 0 {
		t.Error("no tracker works on this kernel")
	}
	for name, track := range all {
		t.Run(name, func(t *testing.T) { test(t, track) })
	}
}

func kernelAtLeast(t *testing.T, major, minor int) bool {
	t.Helper()
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		t.Fatal(err)
	}
	var is [2]int
	part := 0
	for _, c := range u.Release[:] {
		switch {
		case c >= '0' && c <= '9':
			is[part] = is[part]*10 + int(c-'0')
		case part == 1:
			return is[0] > major || is[0] == major && is[1] >= minor
		default:
			part++
		}
	}
	return false
}

// TestTrackers: each finds the pages written and no others, more than it can
// return at once too, and restores them.
func TestTrackers(t *testing.T) {
	eachTracker(t, func(t *testing.T, track func([]byte) tracker) {
		want := noise(64 * page)
		m := opened(t, imaged(t, want), 128*page, track)
		for _, stride := range []int{1, 2, 3, 100, 1 << 20} {
			written := map[int]bool{}
			for at := 0; at < len(want); at += systemPage {
				if at/systemPage%stride == stride-1 {
					m.bytes[at+5]++
					written[at] = true
				} else if m.bytes[at] != want[at] { // read it
					t.Fatal("not the image")
				}
			}
			for _, at := range tracked(t, m, track, m.bytes) {
				if !written[at] {
					t.Fatalf("page %d was not written", at/systemPage)
				}
				delete(written, at)
			}
			if len(written) > 0 {
				t.Errorf("every %d pages: %d written pages were not found", stride, len(written))
			}
			if !m.Reset(nil) || !bytes.Equal(m.bytes, want) {
				t.Errorf("every %d pages: not put back", stride)
			}
			m.Trim()
			if left := tracked(t, m, track, m.bytes); len(left) > 0 {
				t.Errorf("trimmed, %d pages are the memory's own", len(left))
			}
			if !bytes.Equal(m.bytes, want) {
				t.Error("trimmed, not the image")
			}
		}
	})
}

// tracked returns the offsets of the pages that the tracker of m finds, or a new
// one if it has none yet.
func tracked(t *testing.T, m *Memory, track func([]byte) tracker, space []byte) (pages []int) {
	t.Helper()
	tr := m.tracker
	if tr == nil {
		tr = track(nil)
	}
	for at := 0; at < len(space); {
		runs, next, ok := tr.next(space, at)
		if !ok || next <= at {
			t.Fatalf("at %d: next %d, ok %v", at, next, ok)
		}
		for _, r := range runs {
			for p := r.from; p < r.to; p += uint64(systemPage) {
				pages = append(pages, int(p))
			}
		}
		at = next
	}
	return pages
}

// TestKeptIsBounded: what a large call leaves in memory is bounded, and what
// small calls do not use of it is dropped in time.
func TestKeptIsBounded(t *testing.T) {
	eachTracker(t, func(t *testing.T, track func([]byte) tracker) {
		m := opened(t, imaged(t, noise(320*page)), 640*page, track)
		size := uint64(len(m.bytes))
		m.Reallocate(2 * size)
		for at := 0; at < len(m.bytes); at += systemPage {
			m.bytes[at]++
		}
		if !m.Reset(func() { m.Reallocate(size) }) {
			t.Fatal("not put back")
		}
		for range 2 { // the second call writes to all of the image, and to none of the growth kept
			if kept := len(tracked(t, m, track, m.space)) * systemPage; kept > maxKept {
				t.Errorf("%d bytes stay in memory, want %d at most", kept, maxKept)
			}
			for at := 0; at < len(m.bytes); at += systemPage {
				m.bytes[at]++
			}
			if !m.Reset(nil) {
				t.Fatal("not put back")
			}
		}
		for range 2 * sweepEvery {
			m.bytes[0]++
			if !m.Reset(nil) {
				t.Fatal("not put back")
			}
		}
		if kept := len(tracked(t, m, track, m.space)); kept > 1 {
			t.Errorf("%d pages stay in memory, of which one is used", kept)
		}
	})
}

// TestBrokenTracker drops all pages when the kernel stops telling.
func TestBrokenTracker(t *testing.T) {
	want := noise(8 * page)
	m := opened(t, imaged(t, want), 8*page, func([]byte) tracker { return &scanner{table: -1} })
	scatter(m.bytes, 20)
	if !m.Reset(nil) || !bytes.Equal(m.bytes, want) {
		t.Error("not put back")
	}
}

func TestScanArgIsAsTheKernelHasIt(t *testing.T) {
	if got := unsafe.Sizeof(scanArg{}); got != 96 {
		t.Errorf("scanArg has %d bytes, want 96", got)
	}
	if got := unsafe.Sizeof(run{}); got != 24 {
		t.Errorf("run has %d bytes, want 24", got)
	}
}

func TestImageIsSealed(t *testing.T) {
	image := imaged(t, noise(page))
	if !image.shared() {
		t.Fatal("the image is a plain copy")
	}
	if _, err := unix.Pwrite(image.file, []byte{1}, 0); err == nil {
		t.Error("its file can be written")
	}
	if err := unix.Ftruncate(image.file, 0); err == nil {
		t.Error("its file can be cut")
	}
}

// TestImageHoles: zeros of an image take no memory.
func TestImageHoles(t *testing.T) {
	mem := make([]byte, 64*page)
	mem[10*page] = 1
	image := imaged(t, mem)
	var stat unix.Stat_t
	if err := unix.Fstat(image.file, &stat); err != nil {
		t.Fatal(err)
	}
	if got := stat.Blocks * 512; got > int64(systemPage) {
		t.Errorf("an image of one page that is not zeros takes %d bytes", got)
	}
}

// TestFlat makes and frees images and memories: descriptors and mappings are as
// before.
func TestFlat(t *testing.T) {
	count := func() (files, mappings int) {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		maps, err := os.ReadFile("/proc/self/maps")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries), bytes.Count(maps, []byte("wasmoor-image"))
	}
	tracking()
	files, mappings := count()
	mem := noise(4 * page)
	for range 100 {
		image, err := NewImage(mem)
		if err != nil {
			t.Fatal(err)
		}
		p := NewPool(NewBudget(0), 16*page, image)
		for range 10 {
			m, err := p.New(0)
			if err != nil {
				t.Fatal(err)
			}
			m.Reallocate(4 * page)[0]++
			m.Reallocate(8 * page)[5*page]++
			if !m.Reset(func() { m.Reallocate(9 * page) }) {
				t.Fatal("not put back")
			}
			m.Free()
		}
		p.Close()
		image.Close()
	}
	if f, m := count(); f != files || m != mappings {
		t.Errorf("%d descriptors and %d mappings of images, before %d and %d", f, m, files, mappings)
	}
}
