// Package linear makes the linear memories of instances. Each is address space
// of its limit's size, of which only the pages a guest touches become memory,
// so that growing copies nothing. The instances of a program share the image
// they start with, copy their own what they write, and can be put back as the
// image at the cost of what they wrote. All memories together are kept within a
// budget, so that guests cannot take the machine's memory from the host. Engines
// import it.
package linear

import (
	"fmt"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
)

// Budget is the memory that all plugins may have together: their instances, and
// the programs that these run. Safe for concurrent use.
type Budget struct{ *limit.Budget }

// NewBudget returns a budget of so many bytes; 0 = no bound.
func NewBudget(bytes int64) Budget { return Budget{limit.NewBudget(bytes)} }

// Hold takes n bytes for what a plugin has outside an instance's memory, until
// release is called, once. Unavailable when they are not left.
func (b Budget) Hold(n int) (release func(), err error) {
	if !b.Take(int64(n)) {
		return nil, b.usedUp()
	}
	return func() { b.Give(int64(n)) }, nil
}

// tight reports that less than half is left: what is only kept for speed is
// given back then.
func (b Budget) tight() bool { return b.Left() < b.Size()/2 }

func (b Budget) usedUp() error {
	return fault.New(fault.Unavailable, "instance", fmt.Sprintf(
		"the plugins that are loaded take the %s they may have together (max_guest_memory)", limit.FormatSize(b.Size())))
}

// PageSize is the size of a page of WebAssembly memory.
const PageSize = 64 << 10

// maxPages keeps a memory within 2 GiB: wazero v1.12.0's compiler takes a
// constant address from there on for one before the memory where it does not
// check it again (UExtend of a constant in lowerAddendFromInstr).
const maxPages = 1 << 15

// Limit turns a limit of bytes into that of whole pages. Invalid when that is
// none.
func Limit(memory int64) (int, error) {
	if memory < PageSize {
		return 0, fault.New(fault.Invalid, "prepare", fmt.Sprintf(
			"a memory limit of %d bytes is less than a page of WebAssembly; give at least %d", memory, PageSize))
	}
	return int(min(memory/PageSize, maxPages)) * PageSize, nil
}
