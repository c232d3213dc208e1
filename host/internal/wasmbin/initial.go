package wasmbin

// Initial returns what the active segments of a module leave: bytes of its
// memory, at most so many, and the functions in its first table by their index,
// 0 where there is none. Segments elsewhere, or at an offset that is not a plain
// constant, are left out. Errors are Invalid.
func Initial(b []byte, most int) (memory []byte, table []uint32, err error) {
	list, err := sections(b)
	if err != nil {
		return nil, nil, err
	}
	i := initial{most: most}
	for _, section := range list {
		r := &reader{b: b, at: section.Start, end: section.End, where: section.Name}
		switch section.ID {
		case idElement:
			i.elements(r)
		case idData:
			i.data(r)
		}
		if r.err != nil {
			return nil, nil, r.err
		}
	}
	return i.memory, i.table, nil
}

type initial struct {
	most   int
	memory []byte
	table  []uint32
}

func (i *initial) data(r *reader) {
	m := anyModule()
	for range r.count("data segments", 2, MaxData) {
		at, plain := i.offset(r)
		if !plain {
			m.dataStart(r)
		}
		size := r.u32("a segment's size")
		from := r.at
		r.skip(size, "a data segment")
		if r.err != nil {
			return
		}
		if bytes := r.b[from:r.at]; plain && len(bytes) > 0 && at+len(bytes) <= i.most {
			i.memory = grown(i.memory, at+len(bytes))
			copy(i.memory[at:], bytes)
		}
	}
}

func (i *initial) elements(r *reader) {
	for range r.count("element segments", 3, MaxElements) {
		at, plain := i.offset(r)
		if !plain {
			return // toolchains make no other segment before the one of all functions
		}
		for k := range r.count("elements", 1, MaxTable) {
			function := r.u32("an element")
			if at+k < MaxTable {
				i.table = grown(i.table, at+k+1)
				i.table[at+k] = function
			}
		}
	}
}

// offset reads the start of an active segment of the first memory or table at a
// constant offset. It reads nothing of another one.
func (i *initial) offset(r *reader) (at int, plain bool) {
	start := r.at
	if r.byte("a segment's form") == 0 && r.byte("a constant expression") == 0x41 { // i32.const
		if v := r.s32(); r.byte("a constant expression") == opEnd {
			return int(uint32(v)), true
		}
	}
	r.at = start
	return 0, false
}

// s32 reads a signed LEB128 of at most 5 bytes.
func (r *reader) s32() int32 {
	var v int64
	for shift := 0; shift < 35; shift += 7 {
		c := r.byte("a constant")
		v |= int64(c&0x7f) << shift
		if c&0x80 == 0 {
			return int32(v << (57 - shift) >> (57 - shift))
		}
	}
	r.fail(r.at, "a constant is longer than 32 bits")
	return 0
}

// grown returns list with at least n elements.
func grown[T any](list []T, n int) []T {
	if n <= len(list) {
		return list
	}
	return append(list, make([]T, n-len(list))...)
}
