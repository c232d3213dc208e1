package wasmbin

// Subsections of the name section.
const (
	namesOfModule = iota
	namesOfFunctions
	namesOfLocals
)

// nameSection is the name of the custom section of names.
const nameSection = "name"

// checkNameSections refuses name sections whose counts and sizes lie: engines
// trust those too.
func (m *Module) checkNameSections(b []byte) error {
	for _, s := range m.Sections {
		if !s.Custom() || s.Name != nameSection {
			continue
		}
		r := &reader{b: b, at: s.Start, end: s.End, where: s.Name}
		for r.left() > 0 {
			r.subsection(m)
		}
		if r.err != nil {
			return r.err
		}
	}
	return nil
}

// appendNames appends the name section with the new indexes of functions. The
// scan has seen that it can be read.
func (e *editor) appendNames(out []byte, m *Module) []byte {
	for _, s := range m.Sections {
		if !s.Custom() || s.Name != nameSection {
			continue
		}
		r := &reader{b: e.b, at: s.Start, end: s.End, where: s.Name}
		data := appendName(nil, s.Name)
		for r.left() > 0 {
			data = appendSubsection(data, r, m)
		}
		return append(appendU32(append(out, idCustom), uint32(len(data))), data...)
	}
	return out
}

// appendSubsection appends the next subsection if it is one that traps use.
func appendSubsection(out []byte, r *reader, m *Module) []byte {
	id, data := r.subsection(m)
	if id > namesOfLocals {
		return out
	}
	return append(appendU32(append(out, id), uint32(len(data))), data...)
}

// subsection reads a subsection and returns what it holds with the new indexes
// of functions.
func (r *reader) subsection(m *Module) (id byte, data []byte) {
	id = r.byte("a subsection")
	size := r.u32("a subsection's size")
	inner := &reader{b: r.b, at: r.at, where: r.where}
	if r.skip(size, "a subsection"); r.err != nil {
		return id, nil
	}
	inner.end = r.at
	data = r.b[inner.at:inner.end]
	switch id {
	case namesOfModule:
		inner.pass("a name")
		inner.done()
	case namesOfFunctions:
		data = shiftedNames(inner, m, func() { inner.pass("a name") })
	case namesOfLocals:
		data = shiftedNames(inner, m, func() {
			for range inner.count("names", 2, MaxLocals+MaxParams) {
				inner.u32("an index")
				inner.pass("a name")
			}
		})
	}
	if r.err = inner.err; r.err != nil {
		r.at = r.end
	}
	return id, data
}

// shiftedNames returns a map from functions to what item passes.
func shiftedNames(r *reader, m *Module, item func()) []byte {
	n := r.count("names", 2, MaxImports+MaxFunctions)
	out := appendU32(make([]byte, 0, r.left()+n/8), uint32(n))
	for range n {
		index := r.u32("a function")
		start := r.at
		if item(); r.err != nil {
			return nil
		}
		if int64(index) >= int64(m.imported) {
			index++
		}
		out = append(appendU32(out, index), r.b[start:r.at]...)
	}
	r.done()
	return out
}

// pass passes a length and so many bytes.
func (r *reader) pass(what string) { r.skip(r.u32("the length of "+what), what) }
