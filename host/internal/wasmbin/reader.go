package wasmbin

import (
	"fmt"
	"unicode/utf8"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// reader reads one section, or the walk over sections. Its first error stays,
// and after it every read returns zero.
type reader struct {
	b     []byte // the whole module
	at    int    // next byte
	end   int    // of the section
	where string // the section's name
	err   error
}

// invalid is the error of something wrong at an offset.
func invalid(where string, offset int, format string, args ...any) error {
	if where != "" {
		where = " in section " + where
	}
	return fault.New(fault.Invalid, "module", fmt.Sprintf("at offset %d%s: %s", offset, where, fmt.Sprintf(format, args...)))
}

func (r *reader) fail(offset int, format string, args ...any) {
	if r.err == nil {
		r.err = invalid(r.where, offset, format, args...)
	}
	r.at = r.end
}

func (r *reader) left() int { return r.end - r.at }

func (r *reader) byte(what string) byte {
	if r.at >= r.end {
		r.fail(r.at, "%s is cut short", what)
		return 0
	}
	c := r.b[r.at]
	r.at++
	return c
}

// u32 reads an unsigned LEB128 of at most 5 bytes.
func (r *reader) u32(what string) uint32 {
	start := r.at
	var v uint64
	for shift := 0; shift < 35; shift += 7 {
		c := r.byte(what)
		v |= uint64(c&0x7f) << shift
		if c&0x80 == 0 {
			if v > 1<<32-1 {
				break
			}
			return uint32(v)
		}
	}
	r.fail(start, "%s is not a 32-bit number", what)
	return 0
}

// skipSigned passes a signed LEB128 of so many bits.
func (r *reader) skipSigned(bits int) {
	start := r.at
	for range (bits + 6) / 7 {
		if r.byte("a constant")&0x80 == 0 {
			return
		}
	}
	r.fail(start, "a constant is longer than %d bits", bits)
}

// skip passes n bytes.
func (r *reader) skip(n uint32, what string) {
	if uint64(n) > uint64(r.left()) {
		r.fail(r.at, "%s has %d bytes, and %d are left", what, n, r.left())
		return
	}
	r.at += int(n)
}

// count reads how many items follow, each of at least size bytes. What cannot
// fit in the bytes left, or is over most, is an error: nothing is allocated.
func (r *reader) count(what string, size, most int) int {
	start := r.at
	n := r.u32("the count of " + what)
	switch {
	case int64(n) > int64(most):
		r.fail(start, "%d %s are over the limit of %d", n, what, most)
	case int64(n)*int64(size) > int64(r.left()):
		r.fail(start, "%d %s do not fit in the %d bytes left", n, what, r.left())
	default:
		return int(n)
	}
	return 0
}

// name reads a length and that many bytes of UTF-8.
func (r *reader) name(what string) string {
	start := r.at
	n := r.u32("the length of " + what)
	from := r.at
	r.skip(n, what)
	if r.err != nil {
		return ""
	}
	name := r.b[from:r.at]
	if !utf8.Valid(name) {
		r.fail(start, "%s is not UTF-8", what)
		return ""
	}
	return string(name)
}

// done fails if a section is longer than what it holds.
func (r *reader) done() {
	if r.err == nil && r.left() > 0 {
		r.fail(r.at, "%d bytes behind its last item", r.left())
	}
}
