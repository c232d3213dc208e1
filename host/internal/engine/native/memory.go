package native

import (
	"fmt"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
)

// maxPages keeps the size of a memory within 32 bits.
const maxPages = wasmbin.MaxPages - 1

// pages turns a limit of bytes into whole pages.
func pages(memory int64) (uint32, error) {
	if memory < wasmbin.PageSize {
		return 0, fault.New(fault.Invalid, "prepare", fmt.Sprintf(
			"a memory limit of %d bytes is less than a page of WebAssembly; give at least %d", memory, wasmbin.PageSize))
	}
	return uint32(min(memory/wasmbin.PageSize, maxPages)), nil
}
