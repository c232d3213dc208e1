package wasmbin

import "math"

// RenameImports returns a copy of b in which every import has the module and
// the name that rename gives it; all else is as it was. Errors are Invalid: b
// must be a module that Read accepts, of which only the frame is checked here.
func RenameImports(b []byte, rename func(module, name string) (newModule, newName string)) ([]byte, error) {
	return rewrite(b, idImport, func(r *reader) []byte { return renamedImports(r, rename) })
}

// RenameExports is RenameImports for exports.
func RenameExports(b []byte, rename func(name string) string) ([]byte, error) {
	return rewrite(b, idExport, func(r *reader) []byte { return renamedExports(r, rename) })
}

// rewrite returns a copy of b with new content in the section of that id, if it
// has one.
func rewrite(b []byte, id byte, content func(*reader) []byte) ([]byte, error) {
	list, err := sections(b)
	if err != nil {
		return nil, err
	}
	out := append(make([]byte, 0, len(b)), b[:headerSize]...)
	for _, s := range list {
		if s.ID != id {
			out = append(out, b[s.Offset:s.End]...)
			continue
		}
		r := &reader{b: b, at: s.Start, end: s.End, where: s.Name}
		data := content(r)
		r.done()
		switch {
		case r.err != nil:
			return nil, r.err
		case uint64(len(data)) > math.MaxUint32:
			return nil, invalid(s.Name, s.Offset, "the new names make it larger than 4 GiB")
		}
		out = append(appendU32(append(out, id), uint32(len(data))), data...)
	}
	return out, nil
}

// renamedImports returns the content of an import section with new names.
func renamedImports(r *reader, rename func(module, name string) (newModule, newName string)) []byte {
	count := r.count("imports", 4, MaxImports)
	out := appendU32(make([]byte, 0, r.left()), uint32(count))
	for range count {
		module, name := rename(r.name("a module's name"), r.name("an import's name"))
		start := r.at
		r.importType()
		if r.err != nil {
			return nil
		}
		out = append(appendName(appendName(out, module), name), r.b[start:r.at]...)
	}
	return out
}

// renamedExports returns the content of an export section with new names.
func renamedExports(r *reader, rename func(name string) string) []byte {
	count := r.count("exports", 3, MaxExports)
	out := appendU32(make([]byte, 0, r.left()), uint32(count))
	for range count {
		name := rename(r.name("an export's name"))
		start := r.at
		r.byte("an export's kind")
		r.u32("an export's index")
		if r.err != nil {
			return nil
		}
		out = append(appendName(out, name), r.b[start:r.at]...)
	}
	return out
}

func appendName(b []byte, name string) []byte {
	return append(appendU32(b, uint32(len(name))), name...)
}

// importType passes the kind and the type of an import.
func (r *reader) importType() {
	start := r.at
	switch kind := Kind(r.byte("an import's kind")); kind {
	case Function:
		r.u32("a type's index")
	case Table:
		r.table()
	case Memory:
		r.memory()
	case Global:
		r.globalType()
	default:
		r.fail(start, "import kind %d is not of WebAssembly 2.0", byte(kind))
	}
}
