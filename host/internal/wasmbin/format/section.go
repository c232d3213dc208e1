package format

import (
	"bytes"
	"fmt"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Section ids.
const (
	IDCustom = iota
	IDType
	IDImport
	IDFunction
	IDTable
	IDMemory
	IDGlobal
	IDExport
	IDStart
	IDElement
	IDCode
	IDData
	IDDataCount
)

var sectionNames = [...]string{
	"custom", "type", "import", "function", "table", "memory", "global",
	"export", "start", "element", "code", "data", "data count",
}

// sectionRank is a section's place in a module, which is not quite its id.
var sectionRank = [...]int{
	IDType: 1, IDImport: 2, IDFunction: 3, IDTable: 4, IDMemory: 5, IDGlobal: 6,
	IDExport: 7, IDStart: 8, IDElement: 9, IDDataCount: 10, IDCode: 11, IDData: 12,
}

// SectionOrder is how they follow each other.
var SectionOrder = [...]byte{
	IDType, IDImport, IDFunction, IDTable, IDMemory, IDGlobal, IDExport, IDStart, IDElement, IDDataCount, IDCode, IDData,
}

// Section is a piece of the binary. Data is at [Start, End).
type Section struct {
	ID         byte
	Name       string // of a custom section, else its name in the specification
	Offset     int    // of its id
	Start, End int
}

// Custom reports whether it is a custom section.
func (s Section) Custom() bool { return s.ID == 0 }

// HeaderSize is the size of what comes before the sections, in bytes.
const HeaderSize = 8

// MaxCustomSections bounds what toolchains add; Go makes four.
const MaxCustomSections = 1000

// checkHeader tells modules from everything else that people upload.
func checkHeader(b []byte) error {
	magic, version := []byte("\x00asm"), []byte{1, 0, 0, 0}
	refuse := func(format string, args ...any) error {
		return fault.New(fault.Invalid, "module", fmt.Sprintf(format, args...))
	}
	switch {
	case len(b) == 0:
		return refuse("not a WebAssembly module: it is empty")
	case bytes.HasPrefix(bytes.TrimSpace(b[:min(len(b), 64)]), []byte("(module")):
		return refuse("not a WebAssembly module: it is the text format; assemble it first, e.g. with wat2wasm")
	case bytes.HasPrefix(bytes.TrimSpace(b[:min(len(b), 64)]), []byte("{")):
		return refuse("not a WebAssembly module but JSON; of an Extism manifest, which this host does not follow to " +
			"files and URLs, pack the one module it is about: wasmoor pack MODULE.wasm --extism FILE --name NAME -o packed.wasm")
	case isProgram(b):
		return refuse("not a WebAssembly module but a program for an operating system; build it for WebAssembly, in Go with GOOS=wasip1 GOARCH=wasm")
	case !bytes.HasPrefix(b, magic[:min(len(b), len(magic))]):
		return refuse("not a WebAssembly module: starts with %q instead of %q", b[:min(len(b), HeaderSize)], magic)
	case len(b) < HeaderSize:
		return refuse("the module is cut short: it has %d bytes and a header takes %d", len(b), HeaderSize)
	case b[6] == 1 && b[7] == 0:
		return refuse("a WebAssembly component, not a module; build a core module for WASI preview 1: in Rust for wasm32-wasip1, in TinyGo with -target=wasip1, with componentize tools not at all")
	case !bytes.Equal(b[4:HeaderSize], version):
		return refuse("WebAssembly version bytes % x are not supported; version 1 is 01 00 00 00", b[4:HeaderSize])
	}
	return nil
}

// Sections splits a module and checks the order of its sections.
func Sections(b []byte) ([]Section, error) {
	if err := checkHeader(b); err != nil {
		return nil, err
	}
	var list []Section
	r := Reader{B: b, At: HeaderSize, End: len(b)}
	rank, custom := 0, 0
	for r.Left() > 0 {
		s := r.Section()
		switch {
		case r.Err != nil:
			return nil, r.Err
		case s.ID == IDCustom:
			custom++
		case sectionRank[s.ID] <= rank:
			return nil, Invalid(s.Name, s.Offset, "the section is out of order or there twice")
		default:
			rank = sectionRank[s.ID]
		}
		if custom > MaxCustomSections {
			return nil, Invalid("", s.Offset, "there are more than %d custom sections", MaxCustomSections)
		}
		list = append(list, s)
	}
	return list, nil
}

// Section reads a section's header and passes its data.
func (r *Reader) Section() Section {
	s := Section{Offset: r.At}
	s.ID = r.Byte("a section")
	if int(s.ID) >= len(sectionNames) {
		r.refuseSection(s.Offset, s.ID)
		return s
	}
	s.Name = sectionNames[s.ID]
	r.Where = s.Name
	size := r.U32("the section's size")
	s.Start = r.At
	r.Skip(size, "the section")
	s.End = r.At
	if s.ID == IDCustom && r.Err == nil {
		inner := Reader{B: r.B, At: s.Start, End: s.End, Where: s.Name}
		s.Name = inner.Name("the section's name")
		s.Start = inner.At
		r.Err = inner.Err
	}
	r.Where = ""
	return s
}

// isProgram reports whether b begins as ELF, Mach-O or PE do, which a build for the
// wrong target makes.
func isProgram(b []byte) bool {
	for _, start := range []string{"\x7fELF", "\xcf\xfa\xed\xfe", "\xca\xfe\xba\xbe", "MZ"} {
		if bytes.HasPrefix(b, []byte(start)) {
			return true
		}
	}
	return false
}
