package wasmbin

import (
	"fmt"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/format"
)

// Subsections of the name section.
const (
	NamesOfModule = iota
	NamesOfFunctions
	NamesOfLocals
)

// NameSection is the name of the custom section of names.
const NameSection = "name"

// checkNameSections refuses name sections whose counts and sizes lie: engines
// trust those too.
func (m *Scan) checkNameSections(b []byte) error {
	for _, s := range m.Sections {
		if !s.Custom() || s.Name != NameSection {
			continue
		}
		r := &format.Reader{B: b, At: s.Start, End: s.End, Where: s.Name}
		for r.Left() > 0 {
			m.NameSubsection(r)
		}
		if r.Err != nil {
			return r.Err
		}
	}
	return nil
}

// NameSubsection reads a subsection of the name section and returns what it holds,
// with indexes that leave room for one more imported function.
func (m *Scan) NameSubsection(r *format.Reader) (id byte, data []byte) {
	id = r.Byte("a subsection")
	size := r.U32("a subsection's size")
	inner := &format.Reader{B: r.B, At: r.At, Where: r.Where}
	if r.Skip(size, "a subsection"); r.Err != nil {
		return id, nil
	}
	inner.End = r.At
	data = r.B[inner.At:inner.End]
	switch id {
	case NamesOfModule:
		inner.Pass("a name")
		inner.Done()
	case NamesOfFunctions:
		data = shiftedNames(inner, m, func() { inner.Pass("a name") })
	case NamesOfLocals:
		data = shiftedNames(inner, m, func() {
			for range inner.Count("names", 2, format.MaxLocals+format.MaxParams) {
				inner.U32("an index")
				inner.Pass("a name")
			}
		})
	}
	if r.Err = inner.Err; r.Err != nil {
		r.At = r.End
	}
	return id, data
}

// shiftedNames returns a map from functions to what item passes.
func shiftedNames(r *format.Reader, m *Scan, item func()) []byte {
	n := r.Count("names", 2, format.MaxImports+format.MaxFunctions)
	out := format.AppendU32(make([]byte, 0, r.Left()+n/8), uint32(n))
	for range n {
		index := r.U32("a function")
		start := r.At
		if item(); r.Err != nil {
			return nil
		}
		if int64(index) >= int64(m.ImportedFunctions) {
			index++
		}
		out = append(format.AppendU32(out, index), r.B[start:r.At]...)
	}
	r.Done()
	return out
}

// FunctionName names a function of a module b for a person: by its name section, or
// by its index.
func (m *Module) FunctionName(b []byte, index int) string {
	name := ""
	for _, s := range m.Sections {
		if !s.Custom() || s.Name != NameSection {
			continue
		}
		r := &format.Reader{B: b, At: s.Start, End: s.End, Where: s.Name}
		for name == "" && r.Left() > 0 {
			name = functionIn(r, uint32(index))
		}
	}
	if name == "" {
		return fmt.Sprintf("function %d without a name", index)
	}
	return fmt.Sprintf("function %d %.200q", index, name)
}

// functionIn reads a subsection of names and returns the function's, "" if it is
// not there.
func functionIn(r *format.Reader, index uint32) string {
	id, size := r.Byte("a subsection"), r.U32("a subsection's size")
	inner := &format.Reader{B: r.B, At: r.At, Where: r.Where}
	r.Skip(size, "a subsection")
	inner.End = r.At
	if r.Err != nil || id != NamesOfFunctions {
		return ""
	}
	for range inner.U32("names") {
		if inner.Err != nil {
			break
		}
		i, name := inner.U32("a function"), inner.Name("a name")
		if i == index {
			return name
		}
	}
	return ""
}

// within says of what is wrong with the code of which function.
func (m *Module) within(index int, b []byte, err error) error {
	return fault.New(fault.CodeOf(err), "module", fmt.Sprintf("%s, in %s", fault.MessageOf(err), m.FunctionName(b, index)))
}
