package native

import (
	"slices"
	"testing"

	"go.uber.org/goleak"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
)

const pageSize = wasmbin.PageSize

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPages(t *testing.T) {
	for _, test := range []struct {
		memory int64
		want   uint32
		code   fault.Code
	}{
		{-1, 0, fault.Invalid},
		{0, 0, fault.Invalid},
		{pageSize - 1, 0, fault.Invalid},
		{pageSize, 1, ""},
		{2*pageSize - 1, 1, ""},
		{64 << 20, 1024, ""},
		{4 << 30, maxPages, ""},
		{1 << 62, maxPages, ""},
	} {
		got, err := pages(test.memory)
		if got != test.want || fault.CodeOf(err) != test.code {
			t.Errorf("pages(%d): got %d, %v, want %d, code %q", test.memory, got, err, test.want, test.code)
		}
	}
}

func TestMemoryGrowsGeometrically(t *testing.T) {
	const limit = 100 * pageSize
	m := memory{limit: limit}
	moves, at := 0, (*byte)(nil)
	for n := 1; n <= limit/pageSize; n++ {
		bytes := m.Reallocate(uint64(n) * pageSize)
		if len(bytes) != n*pageSize {
			t.Fatalf("got %d bytes, want %d pages", len(bytes), n)
		}
		if &bytes[0] != at {
			moves, at = moves+1, &bytes[0]
		}
		page := bytes[(n-1)*pageSize:]
		if slices.Max(page) != 0 {
			t.Fatalf("page %d is not zero", n)
		}
		page[0], page[pageSize-1] = byte(n), byte(n)
	}
	for n := 1; n <= limit/pageSize; n++ {
		if m.bytes[(n-1)*pageSize] != byte(n) || m.bytes[n*pageSize-1] != byte(n) {
			t.Fatalf("page %d was lost", n)
		}
	}
	if moves > 8 {
		t.Errorf("moved %d times for 100 pages, want the logarithm", moves)
	}
	if m.Reallocate(limit+pageSize) != nil || len(m.bytes) != limit || cap(m.bytes) > limit {
		t.Errorf("over the limit: %d bytes, capacity %d", len(m.bytes), cap(m.bytes))
	}
}
