package native

import (
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
