package wasmbin

import (
	"fmt"
	"iter"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/format"
)

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
func (m *Scan) checkNameSections(b []byte) error {
	for _, s := range m.Sections {
		if !s.Custom() || s.Name != nameSection {
			continue
		}
		r := &format.Reader{B: b, At: s.Start, End: s.End, Where: s.Name}
		for r.Left() > 0 {
			checkNames(r)
		}
		if r.Err != nil {
			return r.Err
		}
	}
	return nil
}

// checkNames reads a subsection of the name section.
func checkNames(r *format.Reader) {
	id := r.Byte("a subsection")
	size := r.U32("a subsection's size")
	inner := &format.Reader{B: r.B, At: r.At, Where: r.Where}
	if r.Skip(size, "a subsection"); r.Err != nil {
		return
	}
	inner.End = r.At
	functions := func(item func()) {
		for range inner.Count("names", 2, format.MaxImports+format.MaxFunctions) {
			inner.U32("a function")
			if item(); inner.Err != nil {
				return
			}
		}
		inner.Done()
	}
	switch id {
	case namesOfModule:
		inner.Pass("a name")
		inner.Done()
	case namesOfFunctions:
		functions(func() { inner.Pass("a name") })
	case namesOfLocals:
		functions(func() {
			for range inner.Count("names", 2, format.MaxLocals+format.MaxParams) {
				inner.U32("an index")
				inner.Pass("a name")
			}
		})
	}
	if r.Err = inner.Err; r.Err != nil {
		r.At = r.End
	}
}

// FunctionNames yields what the name sections of a module b call its functions, by
// index, until they cannot be read any more. An index may be one of no function, and
// may come more than once. Names are UTF-8, and otherwise what the module likes.
func (m *Module) FunctionNames(b []byte) iter.Seq2[uint32, string] {
	return func(yield func(uint32, string) bool) {
		for _, s := range m.Sections {
			if !s.Custom() || s.Name != nameSection {
				continue
			}
			r := &format.Reader{B: b, At: s.Start, End: s.End, Where: s.Name}
			for r.Left() > 0 {
				if !yieldNames(r, yield) {
					return
				}
			}
		}
	}
}

// yieldNames reads a subsection of names, and reports whether to read on.
func yieldNames(r *format.Reader, yield func(uint32, string) bool) bool {
	id, size := r.Byte("a subsection"), r.U32("a subsection's size")
	inner := &format.Reader{B: r.B, At: r.At, Where: r.Where}
	r.Skip(size, "a subsection")
	inner.End = r.At
	if r.Err != nil || id != namesOfFunctions {
		return r.Err == nil
	}
	for range inner.U32("names") {
		index, name := inner.U32("a function"), inner.Name("a name")
		if inner.Err != nil {
			break
		}
		if !yield(index, name) {
			return false
		}
	}
	return true
}

// FunctionName names a function of a module b for a person: by its name section, or
// by its index.
func (m *Module) FunctionName(b []byte, index int) string {
	for i, name := range m.FunctionNames(b) {
		if i == uint32(index) && name != "" {
			return fmt.Sprintf("function %d %.200q", index, name)
		}
	}
	return fmt.Sprintf("function %d without a name", index)
}

// within says of what is wrong with the code of which function.
func (m *Module) within(index int, b []byte, err error) error {
	return fault.New(fault.CodeOf(err), "module", fmt.Sprintf("%s, in %s", fault.MessageOf(err), m.FunctionName(b, index)))
}
