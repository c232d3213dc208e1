// Package rewrite makes of a module the ones that an engine is given: one that can be
// interrupted and put back, and one that starts where an instance stands. Engines
// import it.
package rewrite

import (
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/cpu"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/format"
)

// Names of what the host adds to modules.
const (
	// InterruptModule and InterruptName are the import that Instrument adds, of
	// type () -> (). It is called usually several times in each millisecond of
	// guest code, a few milliseconds apart where that waits for memory most, and
	// ends the call or returns.
	InterruptModule = wasmbin.ReservedPrefix + "interrupt"
	InterruptName   = "check"

	// StartExport is what the start function is exported as.
	StartExport = wasmbin.ReservedPrefix + "start-section"
)

// GlobalExport returns what the module's mutable global i is exported as,
// counting the mutable ones that it does not import.
func GlobalExport(i int) string { return wasmbin.ReservedPrefix + "global:" + strconv.Itoa(i) }

// Instrumented is a module that can be interrupted.
type Instrumented struct {
	Module   []byte
	MaxPages uint32     // of its memory: its declared maximum, or MaxPages; 0 without a memory
	Start    bool       // StartExport is to be called before all else
	Imported int        // functions; the one that is added follows them
	Globals  []abi.Type // of the mutable globals that are exported, in order
	Fresh    string     // why an instance cannot be put back as it was, or ""
}

// rules are what tests change of Instrument to compare what modules do.
type rules struct {
	fuel       int32  // charged between two checks
	keepLimits bool   // of memories and tables
	arch       string // see lower.Lowering, as the next
	oldScans   bool
}

// Instrument returns a module that does the same and calls InterruptModule's
// InterruptName at function entries and loop heads once it has run a fixed
// amount of code since the last time. Large copies within memory are cut into
// pieces with a check between them. Its start function is an export, its memory
// has no maximum, which is for the host to keep, and its tables grow to at most
// MaxTable elements. When Fresh is "", its mutable globals are exported. Custom
// sections are dropped.
//
// Errors are Invalid. The result is at most 32 times as long as b and 64 KiB
// more, 80 times where counts of zeros are written out; modules made by
// toolchains grow by about a tenth.
func Instrument(b []byte) (*Instrumented, error) {
	return instrument(b, rules{fuel: fuelPerCheck, arch: runtime.GOARCH, oldScans: !cpu.X86.HasBMI1})
}

func instrument(b []byte, rules rules) (*Instrumented, error) {
	e := newEditor(b, rules)
	m, err := wasmbin.Walk(b, e)
	if err != nil {
		return nil, err
	}
	if err := checkAdded(m); err != nil {
		return nil, err
	}
	out := &Instrumented{Start: m.Start, Imported: m.ImportedFunctions, Fresh: m.Fresh}
	if len(m.Memories) > 0 {
		out.MaxPages = format.MaxPages
		if m.Memories[0].HasMax {
			out.MaxPages = m.Memories[0].Max
		}
	}
	if m.Fresh == "" {
		for _, g := range m.Mutable {
			out.Globals = append(out.Globals, g.Type)
		}
	}
	e.Code(m)
	e.addAll(m)
	out.Module = e.module(m)
	return out, nil
}

// checkAdded refuses what has the names of what is added.
func checkAdded(m *wasmbin.Scan) error {
	for _, i := range m.Imports {
		if i.Module == InterruptModule {
			return wasmbin.Reserved("import", i.Module)
		}
	}
	for _, e := range m.Exports {
		if e.Name == StartExport || strings.HasPrefix(e.Name, wasmbin.ReservedPrefix+"global:") {
			return wasmbin.Reserved("export", e.Name)
		}
	}
	return nil
}

// addAll appends what is added to the sections.
func (e *editor) addAll(m *wasmbin.Scan) {
	empty := uint32(len(m.Types))
	e.addTo(format.IDType, []byte{wasmbin.FuncForm, 0, 0})
	e.addTo(format.IDType, []byte{wasmbin.FuncForm, 3, byte(abi.I32), byte(abi.I32), byte(abi.I32), 0})
	e.addTo(format.IDImport, format.AppendU32(append(format.AppendName(format.AppendName(nil, InterruptModule), InterruptName), byte(wasmbin.Function)), empty))
	e.addTo(format.IDGlobal, append(format.AppendI32([]byte{byte(abi.I32), 1}, e.added.full), format.OpEnd))
	e.addFunction(empty, e.added.slowBody())
	if e.bulk {
		e.addFunction(e.added.bulkType, e.added.fillBody())
		e.addFunction(e.added.bulkType, e.added.copyBody())
	}
	if m.Start {
		e.addFunction(empty, startBody(m))
	}
	e.addExports(m)
}

func (e *editor) addTo(id byte, item []byte) {
	e.sections[id].count++
	e.sections[id].data = append(e.sections[id].data, item...)
}

func (e *editor) addFunction(typ uint32, body []byte) {
	e.addTo(format.IDFunction, format.AppendU32(nil, typ))
	e.addTo(format.IDCode, append(format.AppendU32(nil, uint32(len(body))), body...))
}

func (e *editor) addExports(m *wasmbin.Scan) {
	export := func(name string, kind wasmbin.Kind, index int) {
		e.addTo(format.IDExport, format.AppendU32(append(format.AppendName(nil, name), byte(kind)), uint32(index)))
	}
	if m.Start {
		export(StartExport, wasmbin.Function, len(m.FunctionTypes)+e.sections[format.IDFunction].count-m.Functions)
	}
	if m.Fresh != "" {
		return
	}
	for i, g := range m.Mutable {
		export(GlobalExport(i), wasmbin.Global, len(m.GlobalTypes)-m.Globals+g.Index)
	}
}

// startBody calls the start function. It is a function of its own because what is
// exported may be taken a reference to, and the start function may not.
func startBody(m *wasmbin.Scan) []byte {
	index := m.StartFunction
	if int64(index) >= int64(m.ImportedFunctions) {
		index++
	}
	return append(format.AppendU32([]byte{0, format.OpCall}, index), format.OpEnd)
}

// module puts the sections together.
func (e *editor) module(m *wasmbin.Scan) []byte {
	size := format.HeaderSize
	for _, s := range e.sections {
		size += len(s.data) + 16
	}
	out := append(make([]byte, 0, size), e.b[:format.HeaderSize]...)
	for _, id := range format.SectionOrder {
		switch s := e.sections[id]; {
		case id == format.IDDataCount && m.DataCount >= 0:
			out = appendSection(out, format.IDDataCount, m.DataCount, nil)
		case s.count > 0:
			out = appendSection(out, id, s.count, s.data)
		}
	}
	return out
}

// appendSection appends a section that starts with a count.
func appendSection(out []byte, id byte, count int, data []byte) []byte {
	start := format.AppendU32(nil, uint32(count))
	out = format.AppendU32(append(out, id), uint32(len(start)+len(data)))
	return append(append(out, start...), data...)
}
