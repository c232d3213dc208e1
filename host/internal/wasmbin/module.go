// Package wasmbin reads WebAssembly binaries without an engine: it says what a
// module imports, exports and asks for, and it refuses binaries whose counts
// promise more than their bytes hold, before anything is allocated for them.
// Engines trust those counts. Package rewrite makes modules that an engine is given.
//
// It is a scan ahead of an engine, not a validator: of instructions it knows the
// length and what they cost to compile; to judge them is the engine's. Engines and
// what inspects uploads import it.
package wasmbin

import (
	"slices"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/format"
)

// ReservedPrefix starts the names of what the host adds to modules. Read refuses
// modules that use it themselves.
const ReservedPrefix = "wasmoor:"

// PageSize is the size of a page of memory.
const PageSize = 64 << 10

// Module describes a binary. Slices and strings own their
// memory, except that nothing of Custom is copied.
type Module struct {
	Size      int
	Imports   []Import
	Exports   []Export
	Functions int // own, without the imported ones
	Tables    []format.Limits
	Memories  []format.Limits // own; at most one
	Globals   int             // own
	Start     bool            // it has a start function
	Sections  []format.Section
	Heaviest  Heaviest // function
}

// Kind is the kind of an import or export.
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
	s := "(" + format.TypeNames(t.Params) + ") -> "
	if len(t.Results) == 1 {
		return s + format.TypeNames(t.Results)
	}
	return s + "(" + format.TypeNames(t.Results) + ")"
}

// Export returns the export of that name.
func (m *Module) Export(name string) (Export, bool) {
	for _, e := range m.Exports {
		if e.Name == name {
			return e, true
		}
	}
	return Export{}, false
}
