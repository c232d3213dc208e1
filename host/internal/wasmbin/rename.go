package wasmbin

import "math"

// RenameImports returns a copy of b in which every import has the module and
// the name that rename gives it; all else is as it was. Errors are Invalid: b
// must be a module that Read accepts, of which only the frame is checked here.
func RenameImports(b []byte, rename func(module, name string) (newModule, newName string)) ([]byte, error) {
	list, err := sections(b)
	if err != nil {
		return nil, err
	}
	out := append(make([]byte, 0, len(b)), b[:headerSize]...)
	for _, s := range list {
		if s.ID != idImport {
			out = append(out, b[s.Offset:s.End]...)
			continue
		}
		content, err := renamed(&reader{b: b, at: s.Start, end: s.End, where: s.Name}, rename)
		switch {
		case err != nil:
			return nil, err
		case uint64(len(content)) > math.MaxUint32:
			return nil, invalid(s.Name, s.Offset, "the new names make it larger than 4 GiB")
		}
		out = append(appendU32(append(out, idImport), uint32(len(content))), content...)
	}
	return out, nil
}

// renamed returns the content of an import section with new names.
func renamed(r *reader, rename func(module, name string) (newModule, newName string)) ([]byte, error) {
	count := r.count("imports", 4, MaxImports)
	out := appendU32(make([]byte, 0, r.left()), uint32(count))
	for range count {
		module, name := rename(r.name("a module's name"), r.name("an import's name"))
		start := r.at
		r.importType()
		if r.err != nil {
			return nil, r.err
		}
		out = append(appendU32(out, uint32(len(module))), module...)
		out = append(appendU32(out, uint32(len(name))), name...)
		out = append(out, r.b[start:r.at]...)
	}
	r.done()
	return out, r.err
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
