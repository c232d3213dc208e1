// Package format is the binary format of WebAssembly 2.0: a reader whose every count
// is bounded by the bytes left, sections, value types, instructions and what they
// take and leave, and how all that is written. The packages of wasmbin import it.
package format

import (
	"fmt"
	"unicode/utf8"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Reader reads one section, or the walk over sections. Its first error stays,
// and after it every read returns zero.
type Reader struct {
	B     []byte // the whole module
	At    int    // next byte
	End   int    // of the section
	Where string // the section's name
	Err   error
}

// Invalid is the error of something wrong at an offset.
func Invalid(where string, offset int, format string, args ...any) error {
	if where != "" {
		where = " in section " + where
	}
	return fault.New(fault.Invalid, "module", fmt.Sprintf("at offset %d%s: %s", offset, where, fmt.Sprintf(format, args...)))
}

// Fail notes what is wrong at an offset, unless something was wrong before, and ends
// the reading.
func (r *Reader) Fail(offset int, format string, args ...any) {
	if r.Err == nil {
		r.Err = Invalid(r.Where, offset, format, args...)
	}
	r.At = r.End
}

// Left returns how many bytes are left.
func (r *Reader) Left() int { return r.End - r.At }

// Byte reads a byte of what.
func (r *Reader) Byte(what string) byte {
	if r.At >= r.End {
		r.Fail(r.At, "%s is cut short", what)
		return 0
	}
	c := r.B[r.At]
	r.At++
	return c
}

// U32 reads an unsigned LEB128 of at most 5 bytes.
func (r *Reader) U32(what string) uint32 {
	start := r.At
	var v uint64
	for shift := 0; shift < 35; shift += 7 {
		c := r.Byte(what)
		v |= uint64(c&0x7f) << shift
		if c&0x80 == 0 {
			if v > 1<<32-1 {
				break
			}
			return uint32(v)
		}
	}
	r.Fail(start, "%s is not a 32-bit number", what)
	return 0
}

// SkipSigned passes a signed LEB128 of so many bits.
func (r *Reader) SkipSigned(bits int) {
	start := r.At
	for range (bits + 6) / 7 {
		if r.Byte("a constant")&0x80 == 0 {
			return
		}
	}
	r.Fail(start, "a constant is longer than %d bits", bits)
}

// Skip passes n bytes.
func (r *Reader) Skip(n uint32, what string) {
	if uint64(n) > uint64(r.Left()) {
		r.Fail(r.At, "%s has %d bytes, and %d are left", what, n, r.Left())
		return
	}
	r.At += int(n)
}

// Count reads how many items follow, each of at least size bytes. What cannot
// fit in the bytes left, or is over most, is an error: nothing is allocated.
func (r *Reader) Count(what string, size, most int) int {
	start := r.At
	n := r.U32("the count of " + what)
	switch {
	case int64(n) > int64(most):
		r.Fail(start, "%d %s are over the limit of %d", n, what, most)
	case int64(n)*int64(size) > int64(r.Left()):
		r.Fail(start, "%d %s do not fit in the %d bytes left", n, what, r.Left())
	default:
		return int(n)
	}
	return 0
}

// Name reads a length and that many bytes of UTF-8.
func (r *Reader) Name(what string) string {
	start := r.At
	n := r.U32("the length of " + what)
	from := r.At
	r.Skip(n, what)
	if r.Err != nil {
		return ""
	}
	name := r.B[from:r.At]
	if !utf8.Valid(name) {
		r.Fail(start, "%s is not UTF-8", what)
		return ""
	}
	return string(name)
}

// Done fails if a section is longer than what it holds.
func (r *Reader) Done() {
	if r.Err == nil && r.Left() > 0 {
		r.Fail(r.At, "%d bytes after its last item", r.Left())
	}
}

// Pass passes a length and so many bytes.
func (r *Reader) Pass(what string) { r.Skip(r.U32("the length of "+what), what) }
