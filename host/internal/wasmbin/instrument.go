package wasmbin

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/cpu"

	"github.com/wasmoor/wasmoor/abi"
)

// Names of what the host adds to modules. Read refuses modules that use the
// prefix themselves.
const (
	ReservedPrefix = "wasmoor:"

	// InterruptModule and InterruptName are the import that Instrument adds, of
	// type () -> (). It is called usually several times in each millisecond of
	// guest code, a few milliseconds apart where that waits for memory most, and
	// ends the call or returns.
	InterruptModule = ReservedPrefix + "interrupt"
	InterruptName   = "check"

	// StartExport is what the start function is exported as.
	StartExport = ReservedPrefix + "start-section"
)

// MaxResetGlobals is how many mutable globals an instance may have to be put
// back: each costs a call. Go has eight.
const MaxResetGlobals = 1_000

// GlobalExport returns what the module's mutable global i is exported as,
// counting the mutable ones that it does not import.
func GlobalExport(i int) string { return ReservedPrefix + "global:" + strconv.Itoa(i) }

// Instrumented is a module that can be interrupted.
type Instrumented struct {
	Module   []byte
	MaxPages uint32     // of its memory: its declared maximum, or MaxPages; 0 without a memory
	Start    bool       // StartExport is to be called before all else
	Globals  []abi.Type // of the mutable globals that are exported, in order
	Fresh    string     // why an instance cannot be put back as it was, or ""
}

// rules are what tests change of Instrument to compare what modules do.
type rules struct {
	fuel       int32  // charged between two checks
	keepLimits bool   // of memories and tables
	arch       string // whose compiler's faults are written out, or ""
	oldScans   bool   // it has no instructions that count zeros of zero
}

// Instrument returns a module that does the same and calls InterruptModule's
// InterruptName at function entries and loop heads once it has run a fixed
// amount of code since the last time. Large copies within memory are cut into
// pieces with a check between them. Its start function is an export, its memory
// has no maximum, which is for the host to keep, and its tables grow to at most
// MaxTable elements. When Fresh is "", its mutable globals are exported. Custom
// sections are dropped but for names, so that traps name functions.
//
// Errors are Invalid. The result is at most 32 times as long as b and 64 KiB
// more, 80 times where counts of zeros are written out; modules made by
// toolchains grow by about a tenth.
func Instrument(b []byte) (*Instrumented, error) {
	return instrument(b, rules{fuel: fuelPerCheck, arch: runtime.GOARCH, oldScans: !cpu.X86.HasBMI1})
}

func instrument(b []byte, rules rules) (*Instrumented, error) {
	e := &editor{b: b, rules: rules}
	m, err := scan(b, e)
	if err != nil {
		return nil, err
	}
	if err := m.checkAdded(); err != nil {
		return nil, err
	}
	out := &Instrumented{Start: m.Start, Fresh: m.fresh}
	if len(m.Memories) > 0 {
		out.MaxPages = MaxPages
		if m.Memories[0].HasMax {
			out.MaxPages = m.Memories[0].Max
		}
	}
	if m.fresh == "" {
		for _, g := range m.mutable {
			out.Globals = append(out.Globals, g.t)
		}
	}
	e.startCode(m)
	e.addAll(m)
	out.Module = e.module(m)
	return out, nil
}

// checkAdded refuses what has the names of what is added.
func (m *Module) checkAdded() error {
	for _, i := range m.Imports {
		if i.Module == InterruptModule {
			return reserved("import", i.Module)
		}
	}
	for _, e := range m.Exports {
		if e.Name == StartExport || strings.HasPrefix(e.Name, ReservedPrefix+"global:") {
			return reserved("export", e.Name)
		}
	}
	return nil
}

// checkMutable judges the mutable globals, of which the host sets numbers.
func (m *Module) checkMutable() {
	m.unsound(len(m.mutable) > MaxResetGlobals, fmt.Sprintf("it has more than %d mutable globals", MaxResetGlobals))
	for _, g := range m.mutable {
		switch g.t {
		case abi.I32, abi.I64, f32Type, f64Type:
		default:
			m.unsound(true, fmt.Sprintf("it has a mutable global of type %s", typeName(g.t)))
		}
	}
}

// addAll appends what is added to the sections.
func (e *editor) addAll(m *Module) {
	empty := uint32(len(m.types))
	e.addTo(idType, []byte{funcForm, 0, 0})
	e.addTo(idType, []byte{funcForm, 3, byte(abi.I32), byte(abi.I32), byte(abi.I32), 0})
	e.addTo(idImport, appendU32(append(appendName(appendName(nil, InterruptModule), InterruptName), byte(Function)), empty))
	e.addTo(idGlobal, append(appendI32([]byte{byte(abi.I32), 1}, e.added.full), opEnd))
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
	e.addTo(idFunction, appendU32(nil, typ))
	e.addTo(idCode, append(appendU32(nil, uint32(len(body))), body...))
}

func (e *editor) addExports(m *Module) {
	export := func(name string, kind Kind, index int) {
		e.addTo(idExport, appendU32(append(appendName(nil, name), byte(kind)), uint32(index)))
	}
	if m.Start {
		export(StartExport, Function, len(m.functions)+e.sections[idFunction].count-m.Functions)
	}
	if m.fresh != "" {
		return
	}
	for i, g := range m.mutable {
		export(GlobalExport(i), Global, m.globals-m.Globals+g.index)
	}
}

// startBody calls the start function. It is a function of its own because what is
// exported may be taken a reference to, and the start function may not.
func startBody(m *Module) []byte {
	index := m.start
	if int64(index) >= int64(m.imported) {
		index++
	}
	return append(appendU32([]byte{0, opCall}, index), opEnd)
}

// module puts the sections together.
func (e *editor) module(m *Module) []byte {
	size := headerSize
	for _, s := range e.sections {
		size += len(s.data) + 16
	}
	out := append(make([]byte, 0, size), e.b[:headerSize]...)
	for _, id := range sectionOrder {
		switch s := e.sections[id]; {
		case id == idDataCount && m.dataCount >= 0:
			out = appendSection(out, idDataCount, m.dataCount, nil)
		case s.count > 0:
			out = appendSection(out, id, s.count, s.data)
		}
	}
	return e.appendNames(out, m)
}

// appendSection appends a section that starts with a count.
func appendSection(out []byte, id byte, count int, data []byte) []byte {
	start := appendU32(nil, uint32(count))
	out = appendU32(append(out, id), uint32(len(start)+len(data)))
	return append(append(out, start...), data...)
}
