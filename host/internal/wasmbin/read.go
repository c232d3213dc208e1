package wasmbin

import (
	"fmt"
	"strings"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/format"
)

// Read scans a module. Errors are Invalid and name the offset and the section.
// The memory it takes is bounded by a small multiple of len(b). Names that start
// with ReservedPrefix are refused: they are for what the host adds.
func Read(b []byte) (*Module, error) {
	m, err := Walk(b, nil)
	if err != nil {
		return nil, err
	}
	return &m.Module, m.checkNames()
}

// Walk reads all sections and tells v of them, unless it is nil, the code last: what
// it costs depends on the others. It refuses what Read refuses, except names.
func Walk(b []byte, v Visitor) (*Scan, error) {
	if v == nil {
		v = nobody{}
	}
	list, err := format.Sections(b)
	if err != nil {
		return nil, err
	}
	m := &Scan{Module: Module{Size: len(b), Sections: list}, DataCount: -1, visitor: v}
	for _, code := range []bool{false, true} {
		for _, s := range list {
			if s.Custom() || (s.ID == format.IDCode) != code {
				continue
			}
			if err := m.section(b, s); err != nil {
				return nil, err
			}
		}
	}
	if err := m.checkCode(); err != nil {
		return m, err
	}
	return m, m.checkNameSections(b)
}

// Imports returns what a module imports, and reads no more of it than that. Errors are
// those of Read.
func Imports(b []byte) ([]Import, error) {
	list, err := format.Sections(b)
	if err != nil {
		return nil, err
	}
	m := &Scan{visitor: nobody{}}
	for _, s := range list {
		if s.ID != format.IDType && s.ID != format.IDImport {
			continue
		}
		if err := m.section(b, s); err != nil {
			return nil, err
		}
	}
	return m.Imports, nil
}

func (m *Scan) section(b []byte, s format.Section) error {
	r := &format.Reader{B: b, At: s.Start, End: s.End, Where: s.Name}
	m.read(r, s.ID)
	r.Done()
	if r.Err == nil {
		m.visitor.EndSection(s.End)
	}
	return r.Err
}

// checkNames refuses imports and exports with names of the host's.
func (m *Scan) checkNames() error {
	for _, i := range m.Imports {
		for _, name := range []string{i.Module, i.Name} {
			if strings.HasPrefix(name, ReservedPrefix) {
				return Reserved("import", name)
			}
		}
	}
	for _, e := range m.Exports {
		if strings.HasPrefix(e.Name, ReservedPrefix) {
			return Reserved("export", e.Name)
		}
	}
	return nil
}

// Reserved is the error of an import or export with a name of the host's.
func Reserved(what, name string) error {
	return fault.New(fault.Invalid, "module", fmt.Sprintf("%s %q: names that start with %q are the host's; rename it", what, name, ReservedPrefix))
}

// checkCode refuses functions without a code section.
func (m *Scan) checkCode() error {
	if m.Functions == 0 {
		return nil
	}
	for _, s := range m.Sections {
		if s.ID == format.IDCode {
			return nil
		}
	}
	return format.Invalid("", m.Size, "%d functions are declared and there is no code section", m.Functions)
}

func (m *Scan) read(r *format.Reader, id byte) {
	switch id {
	case format.IDType:
		m.readTypes(r)
	case format.IDImport:
		m.readImports(r)
	case format.IDFunction:
		m.readFunctions(r)
	case format.IDTable:
		m.readTables(r)
	case format.IDMemory:
		m.readMemories(r)
	case format.IDGlobal:
		m.readGlobals(r)
	case format.IDExport:
		m.readExports(r)
	case format.IDStart:
		m.readStart(r)
	case format.IDElement:
		m.readElements(r)
	case format.IDDataCount:
		m.DataCount = int(r.U32("the count"))
	case format.IDCode:
		m.readCode(r)
	case format.IDData:
		m.readData(r)
	}
}

func (m *Scan) readStart(r *format.Reader) {
	start := r.At
	m.Start = true
	m.StartFunction = r.Index("the start function", len(m.FunctionTypes))
	if r.Err != nil {
		return
	}
	if t := m.TypeAt(m.FunctionTypes[m.StartFunction]); !t.Is(nil, nil) {
		r.Fail(start, "the start function is of type %s and not () -> ()", t)
	}
}

// FuncForm starts the type of a function.
const FuncForm = 0x60

func (m *Scan) readTypes(r *format.Reader) {
	m.Types = make([]FuncType, 0, r.Count("types", 3, format.MaxTypes))
	m.visitor.Section(format.IDType, cap(m.Types), r.At)
	values := 0
	for range cap(m.Types) {
		start := r.At
		if form := r.Byte("a type"); form != FuncForm {
			r.RefuseType(start, form)
		}
		t := FuncType{Params: r.ValueTypes("parameters"), Results: r.ValueTypes("results")}
		if values += len(t.Params) + len(t.Results); values > format.MaxSignature {
			r.Fail(start, "the types up to here have %d parameters and results, over the limit of %d; pass what is large in memory", values, format.MaxSignature)
		}
		if r.Err != nil {
			return
		}
		m.Types = append(m.Types, t)
	}
}

func (m *Scan) readImports(r *format.Reader) {
	m.Imports = make([]Import, 0, r.Count("imports", 4, format.MaxImports))
	m.visitor.Section(format.IDImport, cap(m.Imports), r.At)
	for range cap(m.Imports) {
		i := Import{Module: r.Name("a module's name"), Name: r.Name("an import's name")}
		start := r.At
		i.Kind = Kind(r.Byte("an import's kind"))
		switch i.Kind {
		case Function:
			index := m.typeIndex(r)
			m.FunctionTypes = append(m.FunctionTypes, index)
			m.ImportedFunctions++
			i.Type = m.TypeAt(index)
		case Table:
			m.tables++
			r.Table()
			m.unsound(true, "it imports a table")
		case Memory:
			m.memories++
			r.Memory()
			m.unsound(true, "it imports a memory")
		case Global:
			m.globals++
			t, _ := r.GlobalType()
			m.GlobalTypes = append(m.GlobalTypes, t)
			m.unsound(true, "it imports a global")
		default:
			r.RefuseKind(start, "import", byte(i.Kind))
		}
		if r.Err != nil {
			return
		}
		m.Imports = append(m.Imports, i)
	}
}

func (m *Scan) typeIndex(r *format.Reader) uint32 {
	start := r.At
	index := r.U32("a type's index")
	if r.Err == nil && int64(index) >= int64(len(m.Types)) {
		r.Fail(start, "there is no type %d", index)
	}
	return index
}

// TypeAt returns a type of the module, an empty one if there is none.
func (m *Scan) TypeAt(index uint32) FuncType {
	if int64(index) >= int64(len(m.Types)) {
		return FuncType{}
	}
	return m.Types[index]
}

func (m *Scan) readFunctions(r *format.Reader) {
	m.Functions = r.Count("functions", 1, format.MaxFunctions)
	m.visitor.Section(format.IDFunction, m.Functions, r.At)
	types := make([]uint32, len(m.FunctionTypes), len(m.FunctionTypes)+m.Functions)
	copy(types, m.FunctionTypes)
	for range m.Functions {
		types = append(types, m.typeIndex(r))
	}
	m.FunctionTypes = types
}

// function reads the index of a function.
func (m *Scan) function(r *format.Reader, what string) uint32 {
	start := r.At
	index := r.Index(what, len(m.FunctionTypes))
	if r.Err == nil && int64(index) >= int64(m.ImportedFunctions) {
		m.visitor.Function(start, r.At, index)
	}
	return index
}

// Callee returns the type of a function, an empty one if there is none.
func (m *Scan) Callee(index uint32) FuncType {
	if int64(index) >= int64(len(m.FunctionTypes)) {
		return FuncType{}
	}
	return m.TypeAt(m.FunctionTypes[index])
}

func (m *Scan) readTables(r *format.Reader) {
	n := r.Count("tables", 3, format.MaxTables)
	m.visitor.Section(format.IDTable, n, r.At)
	for range n {
		start := r.At
		l := r.Table()
		m.Tables = append(m.Tables, l)
		m.visitor.Table(start+1, r.At, l)
	}
	m.tables += len(m.Tables)
}

func (m *Scan) readMemories(r *format.Reader) {
	start := r.At
	n := r.Count("memories", 2, format.MaxTables)
	if n > format.MaxMemories {
		r.RefuseMemories(start, n)
		return
	}
	m.visitor.Section(format.IDMemory, n, r.At)
	for range n {
		start := r.At
		l := r.Memory()
		m.Memories = append(m.Memories, l)
		m.visitor.Memory(start, r.At, l)
	}
	m.memories += len(m.Memories)
}

func (m *Scan) readExports(r *format.Reader) {
	m.Exports = make([]Export, 0, r.Count("exports", 3, format.MaxExports))
	m.visitor.Section(format.IDExport, cap(m.Exports), r.At)
	seen := make(map[string]bool, cap(m.Exports))
	for range cap(m.Exports) {
		start := r.At
		e := Export{Name: r.Name("an export's name")}
		if seen[e.Name] {
			r.Fail(start, "%q is exported twice", e.Name)
		}
		seen[e.Name] = true
		m.readExport(r, &e)
		if r.Err != nil {
			return
		}
		m.Exports = append(m.Exports, e)
	}
}

func (m *Scan) readExport(r *format.Reader, e *Export) {
	start := r.At
	e.Kind = Kind(r.Byte("an export's kind"))
	switch e.Kind {
	case Function:
		e.Index = m.function(r, "an exported function")
		if r.Err == nil {
			e.Type = m.TypeAt(m.FunctionTypes[e.Index])
		}
	case Table:
		e.Index = r.Index("an exported table", m.tables)
	case Memory:
		e.Index = r.Index("an exported memory", m.memories)
	case Global:
		e.Index = r.Index("an exported global", m.globals)
	default:
		r.RefuseKind(start, "export", byte(e.Kind))
	}
}
