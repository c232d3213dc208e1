package wasmbin

import "github.com/wasmoor/wasmoor/host/internal/wasmbin/format"

// Initial returns what the active segments of a module leave: bytes of its
// memory, at most so many, and the functions in its first table by their index,
// 0 where there is none. Segments elsewhere, or at an offset that is not a plain
// constant, are left out. Errors are Invalid.
func Initial(b []byte, most int) (memory []byte, table []uint32, err error) {
	list, err := format.Sections(b)
	if err != nil {
		return nil, nil, err
	}
	i := initial{most: most}
	for _, section := range list {
		r := &format.Reader{B: b, At: section.Start, End: section.End, Where: section.Name}
		switch section.ID {
		case format.IDElement:
			i.elements(r)
		case format.IDData:
			i.data(r)
		}
		if r.Err != nil {
			return nil, nil, r.Err
		}
	}
	return i.memory, i.table, nil
}

type initial struct {
	most   int
	memory []byte
	table  []uint32
}

func (i *initial) data(r *format.Reader) {
	m := AnyScan()
	for range r.Count("data segments", 2, format.MaxData) {
		at, plain := i.offset(r)
		if !plain {
			m.DataStart(r)
		}
		size := r.U32("a segment's size")
		from := r.At
		r.Skip(size, "a data segment")
		if r.Err != nil {
			return
		}
		if bytes := r.B[from:r.At]; plain && len(bytes) > 0 && at+len(bytes) <= i.most {
			i.memory = grown(i.memory, at+len(bytes))
			copy(i.memory[at:], bytes)
		}
	}
}

func (i *initial) elements(r *format.Reader) {
	for range r.Count("element segments", 3, format.MaxElements) {
		at, plain := i.offset(r)
		if !plain {
			return // toolchains make no other segment before the one of all functions
		}
		for k := range r.Count("elements", 1, format.MaxTable) {
			function := r.U32("an element")
			if at+k < format.MaxTable {
				i.table = grown(i.table, at+k+1)
				i.table[at+k] = function
			}
		}
	}
}

// offset reads the start of an active segment of the first memory or table at a
// constant offset. It reads nothing of another one.
func (i *initial) offset(r *format.Reader) (at int, plain bool) {
	start := r.At
	if r.Byte("a segment's form") == 0 && r.Byte("a constant expression") == 0x41 { // i32.const
		if v := s32(r); r.Byte("a constant expression") == format.OpEnd {
			return int(uint32(v)), true
		}
	}
	r.At = start
	return 0, false
}

// s32 reads a signed LEB128 of at most 5 bytes.
func s32(r *format.Reader) int32 {
	var v int64
	for shift := 0; shift < 35; shift += 7 {
		c := r.Byte("a constant")
		v |= int64(c&0x7f) << shift
		if c&0x80 == 0 {
			return int32(v << (57 - shift) >> (57 - shift))
		}
	}
	r.Fail(r.At, "a constant is longer than 32 bits")
	return 0
}

// grown returns list with at least n elements.
func grown[T any](list []T, n int) []T {
	if n <= len(list) {
		return list
	}
	return append(list, make([]T, n-len(list))...)
}
