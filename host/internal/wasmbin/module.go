// Package wasmbin reads and rewrites WebAssembly binaries without an engine: it
// says what a module imports, exports and asks for, and it refuses binaries
// whose counts promise more than their bytes hold, before anything is allocated
// for them. Engines trust those counts.
//
// It is a scan ahead of an engine, not a validator: of instructions it knows the
// length and what they cost to compile, and follows types only to write some out
// in others; to judge them is the engine's. Engines and what inspects uploads
// import it.
package wasmbin

import (
	"slices"
	"strings"

	"github.com/wasmoor/wasmoor/abi"
)

// Bounds of a module. Each is far above what toolchains make and far below what
// harms an engine; the size of the module is the caller's to bound.
const (
	MaxTypes     = 10_000
	MaxParams    = 1_000   // and results, of one type, as in the WebAssembly JavaScript API
	MaxSignature = 100_000 // parameters and results of all types, which engines keep as text too
	MaxImports   = 10_000
	MaxFunctions = 100_000 // 100,000 compile in 0.3 s
	MaxTables    = 100
	MaxTable     = 200_000 // elements of a table at the start; Go has one per function
	MaxMemories  = 1       // as in WebAssembly 2.0
	MaxGlobals   = 100_000
	MaxExports   = 10_000
	MaxElements  = 100_000 // segments
	MaxData      = 100_000 // segments; Go's linker makes up to as many
	MaxBody      = 1 << 20 // bytes of a function; compile time grows faster than size
	MaxLocals    = 5_000   // of a function; 28 bytes can declare 2^32
	MaxPages     = 1 << 16 // of a memory: 4 GiB
)

// Bounds of what costs a compiler more than its bytes: without them 8 kB of
// nested loops compile for 23 s, and 27 kB of a branch table for 16 s; within
// them the worst module found takes 15 s, more than a build gets. In brackets the most in Go's
// own tools, QuickJS, and modules made by TinyGo, Rust, Zig and Haskell.
const (
	MaxDepth      = 5_000      // open blocks (1,152)
	MaxLoopDepth  = 32         // open loops (6)
	MaxTargets    = 25_000     // targets of all branch tables of a function (3,125)
	MaxCalls      = 25_000     // calls in a function (1,706)
	MaxWork       = 2_000_000  // see cost.work (550,000)
	MaxModuleWork = 20_000_000 // of all functions (6,500,000 in 14 MB of Go)
	MaxCarried    = 2_000_000  // values that all blocks, branches and calls carry (130,000)
	MaxReloads    = 5_000_000  // calls times mutable globals, which each call may change (600,000)
	MaxLowered    = 25_000     // instructions of a function that are written out, some 25 times as long
)

// PageSize is the size of a page of memory.
const PageSize = 64 << 10

// Module is what a binary says about itself. Slices and strings own their
// memory, except that nothing of Custom is copied.
type Module struct {
	Size      int
	Imports   []Import
	Exports   []Export
	Functions int // own, without the imported ones
	Tables    []Limits
	Memories  []Limits // own; at most one
	Globals   int      // own
	Start     bool     // it has a start function
	Sections  []Section

	types     []FuncType
	functions []uint32 // type of each function, imported ones first
	imported  int      // of them
	start     uint32   // the start function, if Start
	mutable   []mutableGlobal
	locals    []abi.Type // declared by the body being read
	global    []abi.Type // type of each global, imported ones first
	fresh     string     // why an instance cannot be put back, or ""
	largest   int        // bytes of a data segment
	edit      *editor    // nil unless the module is being rewritten
	tables    int        // with the imported ones
	memories  int
	globals   int
	dataCount int // -1 without its section
	work      int // of all functions
	carried   int // by their blocks, branches and calls
	reloads   int // of globals behind their calls
}

// mutableGlobal is a mutable global of the module's own, by its index among them.
type mutableGlobal struct {
	t     abi.Type
	index int
}

// unsound notes the first reason why an instance cannot be put back.
func (m *Module) unsound(is bool, why string) {
	if is && m.fresh == "" {
		m.fresh = why
	}
}

// Kind is what is imported or exported.
type Kind byte

// The kinds, with their encodings.
const (
	Function Kind = iota
	Table
	Memory
	Global
)

// String returns the kind in lower case.
func (k Kind) String() string {
	if names := [...]string{"function", "table", "memory", "global"}; int(k) < len(names) {
		return names[k]
	}
	return "unknown kind"
}

// Import is something the module needs.
type Import struct {
	Module, Name string
	Kind         Kind
	Type         FuncType // of a function
}

// Export is something the module gives.
type Export struct {
	Name  string
	Kind  Kind
	Index uint32   // in the index space of its kind, imports first
	Type  FuncType // of a function
}

// FuncType is a signature. It shares memory with others of its type.
type FuncType struct{ Params, Results []abi.Type }

// Is reports whether t has these parameters and results.
func (t FuncType) Is(params, results []abi.Type) bool {
	return slices.Equal(t.Params, params) && slices.Equal(t.Results, results)
}

// String returns the signature as SPEC.md writes it: "(i32, i64) -> i64".
func (t FuncType) String() string {
	s := "(" + typeNames(t.Params) + ") -> "
	if len(t.Results) == 1 {
		return s + typeNames(t.Results)
	}
	return s + "(" + typeNames(t.Results) + ")"
}

func typeNames(types []abi.Type) string {
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = typeName(t)
	}
	return strings.Join(names, ", ")
}

// typeName returns the name of a value type of WebAssembly 2.0, or "".
func typeName(t abi.Type) string {
	switch t {
	case abi.I32:
		return "i32"
	case abi.I64:
		return "i64"
	case f32Type:
		return "f32"
	case f64Type:
		return "f64"
	case vectorType:
		return "v128"
	case funcRef:
		return "funcref"
	case externRef:
		return "externref"
	}
	return ""
}

const (
	f32Type    abi.Type = 0x7d
	f64Type    abi.Type = 0x7c
	vectorType abi.Type = 0x7b
	funcRef    abi.Type = 0x70
	externRef  abi.Type = 0x6f
)

// Limits is the size of a memory in pages, or of a table in elements.
type Limits struct {
	Min    uint32
	Max    uint32 // if HasMax
	HasMax bool
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

// Export returns the export of that name.
func (m *Module) Export(name string) (Export, bool) {
	for _, e := range m.Exports {
		if e.Name == name {
			return e, true
		}
	}
	return Export{}, false
}
