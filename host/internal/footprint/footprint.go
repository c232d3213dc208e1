// Package footprint sums up what memory a host may take, and says what is left to Go's
// heap where there is less. Package host lists the parts.
package footprint

import (
	"fmt"
	"math"
	"strings"

	"github.com/wasmoor/wasmoor/host/internal/limit"
)

// leastHeap is what Go's heap is left, in bytes, however little there is: below it the
// collector would do nothing but collect.
const leastHeap = 128 << 20

// Part is a part of the memory that a host may take.
type Part struct {
	What  string
	Key   string // that sets it; "" = it is fixed
	Bytes int64
	Heap  bool // it is in Go's heap
}

// Sum returns the bytes of all parts, and of those in Go's heap.
func Sum(parts []Part) (all, heap int64) {
	for _, p := range parts {
		all = plus(all, p.Bytes)
		if p.Heap {
			heap = plus(heap, p.Bytes)
		}
	}
	return all, heap
}

// plus adds sizes of which the sum may be too large for a number.
func plus(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// HeapLimit returns the limit for Go's heap of a host that takes all, of which
// heap is there, where most is left to it: what the heap may take, or in a group
// that has less its part of that. All parts are hardly ever full at a time.
func HeapLimit(all, heap, most int64) int64 {
	if most >= all {
		return heap
	}
	return max(int64(float64(heap)*(float64(most)/float64(all))), leastHeap)
}

// TooLittle names the parts with what they take and with the keys that lower it.
func TooLittle(parts []Part, all, most int64) string {
	var list strings.Builder
	for i, p := range parts {
		if i > 0 {
			list.WriteString(", ")
		}
		fmt.Fprintf(&list, "%s %s", p.What, limit.FormatSize(p.Bytes))
		if p.Key != "" {
			fmt.Fprintf(&list, " (%s)", p.Key)
		}
	}
	return fmt.Sprintf("the control group of this process leaves it %s of memory, and this configuration may take %s: %s. "+
		"Raise the group's limit to %s, or lower keys by %s together",
		limit.FormatSize(most), limit.FormatSize(all), &list, limit.FormatSize(all), limit.FormatSize((all-most+mib-1)/mib*mib))
}

const mib = 1 << 20
