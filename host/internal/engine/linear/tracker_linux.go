package linear

import (
	"encoding/binary"
	"runtime"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Of the process's page table, read through one descriptor kept open as long as
// the process lives, a page of a private mapping that was written shows as one
// that is not of a file.
// https://docs.kernel.org/admin-guide/mm/pagemap.html

// newTracker returns the best tracker that works here, nil if none does.
func newTracker(image []byte) tracker {
	switch t := tracking(); {
	case t.watches:
		return t.watcher(image)
	case t.scans:
		return t.scanner(image)
	case t.reads:
		return t.reader(image)
	}
	return nil
}

type trackers struct {
	table, faults         int // descriptors
	watches, scans, reads bool
}

func (t trackers) watcher(image []byte) tracker {
	return &watcher{scanner: scanner{table: t.table}, faults: t.faults, image: image}
}

func (t trackers) scanner([]byte) tracker { return &scanner{table: t.table} }

func (t trackers) reader([]byte) tracker { return &reader{table: t.table} }

var tracking = sync.OnceValue(func() trackers {
	table, err := unix.Open("/proc/self/pagemap", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return trackers{table: -1, faults: -1}
	}
	t := trackers{table: table, faults: -1}
	t.scans, t.reads = finds(t.scanner), finds(t.reader)
	if !t.scans && !t.reads {
		_ = unix.Close(table)
	}
	if t.scans {
		t.faults = userfaultfd()
		t.watches = t.faults >= 0 && finds(t.watcher)
	}
	return t
})

// finds tries a tracker on an image of which one page was read and one written,
// with a page of zeros behind it that was written, twice: kernels, sandboxes and
// containers differ in what they have and permit.
func finds(track func(image []byte) tracker) bool {
	mem := make([]byte, PageSize)
	for i := range mem {
		mem[i] = 1
	}
	image, err := NewImage(mem)
	if err != nil {
		return false
	}
	defer image.Close()
	p := newPool(NewBudget(0), 2*PageSize, image, track)
	defer p.Close()
	m, err := p.New(0)
	if err != nil {
		return false
	}
	defer m.Free()
	return m.reverts && findsIn(m) && findsIn(m)
}

func findsIn(m *Memory) bool {
	size := systemPage
	m.space[PageSize-size] = m.space[0] + 1
	m.space[PageSize] = 1
	want := run{from: uint64(PageSize - size), to: uint64(PageSize + size)}
	if m.tracker == nil {
		m.tracker = m.pool.track(m.space[:PageSize])
	}
	var got run
	for at := 0; at < len(m.space); {
		runs, next, ok := m.tracker.next(m.space, at)
		if !ok {
			return false
		}
		for _, r := range runs {
			if got.to != 0 && got.to != r.from {
				return false
			}
			if got.to == 0 {
				got.from = r.from
			}
			got.to = r.to
		}
		at = next
	}
	m.drop(0, len(m.space))
	return got == want
}

// scanner asks the kernel for the written pages (ioctl PAGEMAP_SCAN, Linux 6.7).
type scanner struct {
	table int
	arg   scanArg
	found [128]run
}

// scanArg is struct pm_scan_arg of linux/fs.h.
type scanArg struct {
	size, flags, start, end, walkEnd                 uint64
	vec, vecLen, maxPages                            uint64
	categoryInverted, categoryMask, categoryAny, ret uint64
}

const (
	pagemapScan = 0xc0606610 // _IOWR('f', 16, struct pm_scan_arg)

	pageOfFile  = 1 << 2
	pagePresent = 1 << 3
	pageSwapped = 1 << 4
	pageOfZeros = 1 << 5 // the one that memory which was only read shows
)

func (s *scanner) next(space []byte, at int) ([]run, int, bool) {
	base := uint64(uintptr(unsafe.Pointer(unsafe.SliceData(space))))
	s.arg = scanArg{
		size: uint64(unsafe.Sizeof(s.arg)), start: base + uint64(at), end: base + uint64(len(space)),
		vec: uint64(uintptr(unsafe.Pointer(&s.found))), vecLen: uint64(len(s.found)),
		categoryInverted: pageOfFile | pageOfZeros, categoryMask: pageOfFile | pageOfZeros,
		categoryAny: pagePresent | pageSwapped,
	}
	return s.scan(base)
}

// scan runs the scan that arg says, of space at base.
func (s *scanner) scan(base uint64) ([]run, int, bool) {
	n, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(s.table), pagemapScan, uintptr(unsafe.Pointer(&s.arg)))
	runtime.KeepAlive(s)
	if errno != 0 {
		return nil, 0, false
	}
	runs := s.found[:n]
	for i := range runs {
		runs[i].from -= base
		runs[i].to -= base
	}
	return runs, int(s.arg.walkEnd - base), s.arg.walkEnd > s.arg.start
}

func (s *scanner) restored([]byte) {}

// reader reads the page table itself, 8 bytes a page, as every Linux has it.
type reader struct {
	table   int
	entries [4 << 10]byte
	found   [128]run
}

const (
	entryPresent = 1 << 63
	entrySwapped = 1 << 62
	entryOfFile  = 1 << 61
)

func (r *reader) restored([]byte) {}

func (r *reader) next(space []byte, at int) ([]run, int, bool) {
	page := systemPage
	first := (uint64(uintptr(unsafe.Pointer(unsafe.SliceData(space)))) + uint64(at)) / uint64(page)
	entries := r.entries[:min(len(r.entries), (len(space)-at)/page*8)]
	if n, err := unix.Pread(r.table, entries, int64(first*8)); err != nil || n != len(entries) {
		return nil, 0, false
	}
	runs := r.found[:0]
	for ; len(entries) > 0; entries, at = entries[8:], at+page {
		e := binary.NativeEndian.Uint64(entries)
		if e&(entryPresent|entrySwapped) == 0 || e&entryOfFile != 0 {
			continue
		}
		if n := len(runs); n > 0 && runs[n-1].to == uint64(at) {
			runs[n-1].to += uint64(page)
			continue
		}
		if len(runs) == cap(runs) {
			break
		}
		runs = append(runs, run{from: uint64(at), to: uint64(at + page)})
	}
	return runs, at, true
}

// Means says how memories are put back on this machine: by what the kernel tells of
// written pages at once ("PAGEMAP_SCAN and userfaultfd", "PAGEMAP_SCAN"), page by page
// ("pagemap"), or not at all (""): then each request copies its memory.
func Means() string {
	switch t := tracking(); {
	case t.watches:
		return "PAGEMAP_SCAN and userfaultfd"
	case t.scans:
		return "PAGEMAP_SCAN"
	case t.reads:
		return "pagemap"
	}
	return ""
}
