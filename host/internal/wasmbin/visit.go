package wasmbin

import (
	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/format"
)

// Scan is a module as far as it has been read: what it says of itself, and what its
// indexes mean.
type Scan struct {
	Module

	Types             []FuncType
	FunctionTypes     []uint32 // index of each function's type, imported ones first
	ImportedFunctions int
	GlobalTypes       []abi.Type // imported ones first
	Mutable           []MutableGlobal
	StartFunction     uint32 // if Start
	LargestData       int    // bytes of a data segment
	DataCount         int    // -1 without its section
	Fresh             string // why an instance cannot be put back as it was, or ""

	visitor  Visitor
	locals   []abi.Type // declared by the body being read
	tables   int        // with the imported ones, as the next two
	memories int
	globals  int
	work     int // of all functions
	carried  int // by their blocks, branches and calls
	reloads  int // of globals after their calls
}

// MutableGlobal is a mutable global of the module's own, by its index among them.
type MutableGlobal struct {
	Type  abi.Type
	Index int
}

// unsound notes the first reason why an instance cannot be put back.
func (m *Scan) unsound(is bool, why string) {
	if is && m.Fresh == "" {
		m.Fresh = why
	}
}

// Visitor is told what Walk passes, in order, so that it can make another module
// of it. Offsets are those of the binary.
type Visitor interface {
	// Section starts a section of so many items, the first at an offset.
	Section(id byte, items, at int)
	// Item ends an item of the section.
	Item(at int)
	// EndSection ends a section. Those without items do not start.
	EndSection(at int)
	// Function passes the index of a function of the module's own.
	Function(start, end int, index uint32)
	// Table and Memory pass the limits of one of the module's own.
	Table(start, end int, l format.Limits)
	Memory(start, end int, l format.Limits)

	// Code comes before the bodies, when all else is known.
	Code(m *Scan)
	// Body starts a body.
	Body(m *Scan, b Body)
	// Bulk passes memory.copy or memory.fill, before Instruction does.
	Bulk(misc uint32, start, end int)
	// Instruction passes the instruction from start to where r is. What is wrong
	// with it is a failure of r.
	Instruction(r *format.Reader, start int)
	// EndBody ends a body.
	EndBody(end int)
}

// Body is where a function's body has what.
type Body struct {
	Type       FuncType
	Locals     []abi.Type // declared ones; valid until the next body
	Start      int        // of the count of groups of locals
	Groups     int
	FirstGroup int
	Code       int // of the first instruction
}

// nobody is the visitor of those who only read.
type nobody struct{}

func (nobody) Section(byte, int, int)          {}
func (nobody) Item(int)                        {}
func (nobody) EndSection(int)                  {}
func (nobody) Function(int, int, uint32)       {}
func (nobody) Table(int, int, format.Limits)   {}
func (nobody) Memory(int, int, format.Limits)  {}
func (nobody) Code(*Scan)                      {}
func (nobody) Body(*Scan, Body)                {}
func (nobody) Bulk(uint32, int, int)           {}
func (nobody) Instruction(*format.Reader, int) {}
func (nobody) EndBody(int)                     {}
