package rewrite

import (
	"fmt"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/format"
)

// Snapshot returns a module that starts where an instance of a module of
// Instrument stands: its memory has so many pages at the start, whose content is
// the caller's to supply, and its exported mutable globals have these bits, in
// order. Active data segments are gone, as an instance drops them. Tables start
// as before, which is right for modules with an empty Fresh and no others.
// Errors are Invalid. The result is at most 16 bytes for each global longer.
func Snapshot(instrumented []byte, pages uint32, globals []uint64) ([]byte, error) {
	list, err := format.Sections(instrumented)
	if err != nil {
		return nil, err
	}
	s := snapshot{b: instrumented, pages: pages, globals: globals, list: list}
	out := append(make([]byte, 0, len(s.b)+16*len(globals)+16), s.b[:format.HeaderSize]...)
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
	list    []format.Section
	pages   uint32
	globals []uint64 // not yet given to one
}

// section appends a section as it is in the snapshot.
func (s *snapshot) section(out []byte, section format.Section) ([]byte, error) {
	r := &format.Reader{B: s.b, At: section.Start, End: section.End, Where: section.Name}
	var data []byte
	switch section.ID {
	case format.IDMemory:
		data = s.memory(r)
	case format.IDGlobal:
		data = s.values(r)
	case format.IDData:
		if data = s.data(r); data == nil && r.Err == nil {
			return out, nil
		}
	case format.IDStart:
		r.Fail(r.At, "a snapshot is taken of a module without a start function")
	default:
		return append(out, s.b[section.Offset:section.End]...), nil
	}
	if r.Done(); r.Err != nil {
		return nil, r.Err
	}
	return append(format.AppendU32(append(out, section.ID), uint32(len(data))), data...), nil
}

// memory returns the memory with its pages.
func (s *snapshot) memory(r *format.Reader) []byte {
	start := r.At
	n := r.Count("memories", 2, 1)
	out := format.AppendU32(nil, uint32(n))
	for range n {
		l := r.Memory()
		if s.pages > format.MaxPages || s.pages < l.Min || l.HasMax && s.pages > l.Max {
			r.Fail(start, "a memory of %d pages or more cannot have %d", l.Min, s.pages)
		}
		l.Min, s.pages = s.pages, 0
		if l.HasMax {
			out = format.AppendU32(format.AppendU32(append(out, 1), l.Min), l.Max)
		} else {
			out = format.AppendU32(append(out, 0), l.Min)
		}
	}
	return out
}

// values returns the globals with their values. The last one is the fuel.
func (s *snapshot) values(r *format.Reader) []byte {
	m := wasmbin.AnyScan()
	n := r.Count("globals", 4, format.MaxGlobals+1)
	out := format.AppendU32(make([]byte, 0, r.Left()+12*len(s.globals)), uint32(n))
	for i := range n {
		start := r.At
		t, mutable := r.GlobalType()
		m.Constant(r)
		switch {
		case r.Err != nil:
			return nil
		case mutable && i < n-1:
			out = s.value(out, r, start, t)
		default:
			out = append(out, r.B[start:r.At]...)
		}
	}
	return out
}

// value appends a mutable global with the next value.
func (s *snapshot) value(out []byte, r *format.Reader, start int, t abi.Type) []byte {
	switch {
	case len(s.globals) == 0:
		r.Fail(start, "there are more mutable globals than values")
		return nil
	case t != abi.I32 && t != abi.I64 && t != format.F32 && t != format.F64:
		r.Fail(start, "a global of type %s has no value", format.TypeName(t))
		return nil
	}
	out = append(format.AppendConst(append(out, byte(t), 1), t, s.globals[0]), format.OpEnd)
	s.globals = s.globals[1:]
	return out
}

// data returns the data segments with nothing in those that were active, or nil
// if no instruction can name one.
func (s *snapshot) data(r *format.Reader) []byte {
	n := r.Count("data segments", 2, format.MaxData)
	m := wasmbin.AnyScan()
	out := format.AppendU32(nil, uint32(n))
	for range n {
		start := r.At
		passive := m.DataStart(r) == wasmbin.DataPassive
		r.Pass("a data segment")
		switch {
		case r.Err != nil:
			return nil
		case passive:
			out = append(out, r.B[start:r.At]...)
		default:
			out = append(out, wasmbin.DataPassive, 0)
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
		if section.ID == format.IDDataCount {
			return true
		}
	}
	return false
}
