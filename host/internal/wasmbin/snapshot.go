package wasmbin

import (
	"fmt"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Snapshot returns a module that starts where an instance of a module of
// Instrument stands: its memory has so many pages at the start, whose content is
// the caller's to supply, and its exported mutable globals have these bits, in
// order. Active data segments are gone, as an instance drops them. Tables start
// as before, which is right for modules with an empty Fresh and no others.
// Errors are Invalid. The result is at most 16 bytes for each global longer.
func Snapshot(instrumented []byte, pages uint32, globals []uint64) ([]byte, error) {
	list, err := sections(instrumented)
	if err != nil {
		return nil, err
	}
	s := snapshot{b: instrumented, pages: pages, globals: globals, list: list}
	out := append(make([]byte, 0, len(s.b)+16*len(globals)+16), s.b[:headerSize]...)
	for _, section := range list {
		if out, err = s.section(out, section); err != nil {
			return nil, err
		}
	}
	if len(s.globals) > 0 || s.pages > 0 {
		return nil, fault.New(fault.Invalid, "module", fmt.Sprintf("the module has no memory for %d pages or no globals for %d values",
			s.pages, len(s.globals)))
	}
	return out, nil
}

type snapshot struct {
	b       []byte
	list    []Section
	pages   uint32
	globals []uint64 // not yet given to one
}

// section appends a section as it is in the snapshot.
func (s *snapshot) section(out []byte, section Section) ([]byte, error) {
	r := &reader{b: s.b, at: section.Start, end: section.End, where: section.Name}
	var data []byte
	switch section.ID {
	case idMemory:
		data = s.memory(r)
	case idGlobal:
		data = s.values(r)
	case idData:
		if data = s.data(r); data == nil && r.err == nil {
			return out, nil
		}
	case idStart:
		r.fail(r.at, "a snapshot is taken of a module without a start function")
	default:
		return append(out, s.b[section.Offset:section.End]...), nil
	}
	if r.done(); r.err != nil {
		return nil, r.err
	}
	return append(appendU32(append(out, section.ID), uint32(len(data))), data...), nil
}

// memory returns the memory with its pages.
func (s *snapshot) memory(r *reader) []byte {
	start := r.at
	n := r.count("memories", 2, 1)
	out := appendU32(nil, uint32(n))
	for range n {
		l := r.memory()
		if s.pages > MaxPages || s.pages < l.Min || l.HasMax && s.pages > l.Max {
			r.fail(start, "a memory of %d pages or more cannot have %d", l.Min, s.pages)
		}
		l.Min, s.pages = s.pages, 0
		if l.HasMax {
			out = appendU32(appendU32(append(out, 1), l.Min), l.Max)
		} else {
			out = appendU32(append(out, 0), l.Min)
		}
	}
	return out
}

// values returns the globals with their values. The last one is the fuel.
func (s *snapshot) values(r *reader) []byte {
	m := anyModule()
	n := r.count("globals", 4, MaxGlobals+1)
	out := appendU32(make([]byte, 0, r.left()+12*len(s.globals)), uint32(n))
	for i := range n {
		start := r.at
		t, mutable := r.globalType()
		m.constant(r)
		switch {
		case r.err != nil:
			return nil
		case mutable && i < n-1:
			out = s.value(out, r, start, t)
		default:
			out = append(out, r.b[start:r.at]...)
		}
	}
	return out
}

// value appends a mutable global with the next value.
func (s *snapshot) value(out []byte, r *reader, start int, t abi.Type) []byte {
	switch {
	case len(s.globals) == 0:
		r.fail(start, "there are more mutable globals than values")
		return nil
	case t != abi.I32 && t != abi.I64 && t != f32Type && t != f64Type:
		r.fail(start, "a global of type %s has no value", typeName(t))
		return nil
	}
	out = append(appendConst(append(out, byte(t), 1), t, s.globals[0]), opEnd)
	s.globals = s.globals[1:]
	return out
}

// data returns the data segments with nothing in those that were active, or nil
// if no instruction can name one.
func (s *snapshot) data(r *reader) []byte {
	n := r.count("data segments", 2, MaxData)
	m := anyModule()
	out := appendU32(nil, uint32(n))
	for range n {
		start := r.at
		passive := m.dataStart(r) == dataPassive
		r.pass("a data segment")
		switch {
		case r.err != nil:
			return nil
		case passive:
			out = append(out, r.b[start:r.at]...)
		default:
			out = append(out, dataPassive, 0)
		}
	}
	if !s.counted() {
		return nil
	}
	return out
}

// counted reports whether there is a data count, without which code names no
// segment.
func (s *snapshot) counted() bool {
	for _, section := range s.list {
		if section.ID == idDataCount {
			return true
		}
	}
	return false
}

// anyModule has every index that a constant may name: what they mean was checked
// when the module was instrumented.
func anyModule() *Module {
	return &Module{
		functions: make([]uint32, MaxImports+MaxFunctions), imported: MaxImports + MaxFunctions,
		globals: MaxImports + MaxGlobals, memories: MaxMemories,
	}
}
