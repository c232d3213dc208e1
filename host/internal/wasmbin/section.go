package wasmbin

import (
	"bytes"
	"fmt"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Section ids.
const (
	idCustom = iota
	idType
	idImport
	idFunction
	idTable
	idMemory
	idGlobal
	idExport
	idStart
	idElement
	idCode
	idData
	idDataCount
	idTag // of exception handling
)

var sectionNames = [...]string{
	"custom", "type", "import", "function", "table", "memory", "global",
	"export", "start", "element", "code", "data", "data count",
}

// sectionRank is a section's place in a module, which is not quite its id.
var sectionRank = [...]int{
	idType: 1, idImport: 2, idFunction: 3, idTable: 4, idMemory: 5, idGlobal: 6,
	idExport: 7, idStart: 8, idElement: 9, idDataCount: 10, idCode: 11, idData: 12,
}

// sectionOrder is how they follow each other.
var sectionOrder = [...]byte{
	idType, idImport, idFunction, idTable, idMemory, idGlobal, idExport, idStart, idElement, idDataCount, idCode, idData,
}

const headerSize = 8

// maxCustomSections bounds what toolchains add; Go makes four.
const maxCustomSections = 1000

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
	case !bytes.HasPrefix(b, magic[:min(len(b), len(magic))]):
		return refuse("not a WebAssembly module: starts with %q instead of %q", b[:min(len(b), headerSize)], magic)
	case len(b) < headerSize:
		return refuse("the module is cut short: it has %d bytes and a header takes %d", len(b), headerSize)
	case b[6] == 1 && b[7] == 0:
		return refuse("a WebAssembly component, not a module; build a core module, e.g. for wasip1")
	case !bytes.Equal(b[4:headerSize], version):
		return refuse("WebAssembly version bytes % x are not supported; version 1 is 01 00 00 00", b[4:headerSize])
	}
	return nil
}

// sections splits a module and checks the order of its sections.
func sections(b []byte) ([]Section, error) {
	if err := checkHeader(b); err != nil {
		return nil, err
	}
	var list []Section
	r := reader{b: b, at: headerSize, end: len(b)}
	rank, custom := 0, 0
	for r.left() > 0 {
		s := r.section()
		switch {
		case r.err != nil:
			return nil, r.err
		case s.ID == idCustom:
			custom++
		case sectionRank[s.ID] <= rank:
			return nil, invalid(s.Name, s.Offset, "the section is out of order or there twice")
		default:
			rank = sectionRank[s.ID]
		}
		if custom > maxCustomSections {
			return nil, invalid("", s.Offset, "there are more than %d custom sections", maxCustomSections)
		}
		list = append(list, s)
	}
	return list, nil
}

// section reads a section's header and passes its data.
func (r *reader) section() Section {
	s := Section{Offset: r.at}
	s.ID = r.byte("a section")
	if s.ID == idTag {
		r.fail(s.Offset, "the module has exceptions, which are not supported; build without them, and without setjmp that uses them")
		return s
	}
	if int(s.ID) >= len(sectionNames) {
		r.fail(s.Offset, "section id %d is not of WebAssembly 2.0; build without newer features", s.ID)
		return s
	}
	s.Name = sectionNames[s.ID]
	r.where = s.Name
	size := r.u32("the section's size")
	s.Start = r.at
	r.skip(size, "the section")
	s.End = r.at
	if s.ID == idCustom && r.err == nil {
		inner := reader{b: r.b, at: s.Start, end: s.End, where: s.Name}
		s.Name = inner.name("the section's name")
		s.Start = inner.at
		r.err = inner.err
	}
	r.where = ""
	return s
}
