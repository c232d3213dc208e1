package wasmbin

import (
	"fmt"
	"strings"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Read scans a module. Errors are Invalid and name the offset and the section.
// The memory it takes is bounded by a small multiple of len(b). Names that start
// with ReservedPrefix are refused: they are for what the host adds.
func Read(b []byte) (*Module, error) {
	m, err := scan(b, nil)
	if err != nil {
		return m, err
	}
	return m, m.checkNames()
}

// scan reads all sections, the code last: its cost depends on the others. With
// an editor it leaves there what the sections become.
func scan(b []byte, e *editor) (*Module, error) {
	list, err := sections(b)
	if err != nil {
		return nil, err
	}
	m := &Module{Size: len(b), Sections: list, dataCount: -1, edit: e}
	for _, code := range []bool{false, true} {
		for _, s := range list {
			if s.Custom() || (s.ID == idCode) != code {
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

func (m *Module) section(b []byte, s Section) error {
	r := &reader{b: b, at: s.Start, end: s.End, where: s.Name}
	m.read(r, s.ID)
	r.done()
	if r.err == nil {
		m.edit.finish(s.End)
	}
	return r.err
}

// checkNames refuses imports and exports with names of the host's.
func (m *Module) checkNames() error {
	for _, i := range m.Imports {
		for _, name := range []string{i.Module, i.Name} {
			if strings.HasPrefix(name, ReservedPrefix) {
				return reserved("import", name)
			}
		}
	}
	for _, e := range m.Exports {
		if strings.HasPrefix(e.Name, ReservedPrefix) {
			return reserved("export", e.Name)
		}
	}
	return nil
}

func reserved(what, name string) error {
	return fault.New(fault.Invalid, "module", fmt.Sprintf("%s %q: names that start with %q are the host's; rename it", what, name, ReservedPrefix))
}

// checkCode refuses functions without a code section.
func (m *Module) checkCode() error {
	if m.Functions == 0 {
		return nil
	}
	for _, s := range m.Sections {
		if s.ID == idCode {
			return nil
		}
	}
	return invalid("", m.Size, "%d functions are declared and there is no code section", m.Functions)
}

func (m *Module) read(r *reader, id byte) {
	switch id {
	case idType:
		m.readTypes(r)
	case idImport:
		m.readImports(r)
	case idFunction:
		m.readFunctions(r)
	case idTable:
		m.readTables(r)
	case idMemory:
		m.readMemories(r)
	case idGlobal:
		m.readGlobals(r)
	case idExport:
		m.readExports(r)
	case idStart:
		m.readStart(r)
	case idElement:
		m.readElements(r)
	case idDataCount:
		m.dataCount = int(r.u32("the count"))
	case idCode:
		m.readCode(r)
	case idData:
		m.readData(r)
	}
}

func (m *Module) readStart(r *reader) {
	start := r.at
	m.Start = true
	m.start = r.index("the start function", len(m.functions))
	if r.err != nil {
		return
	}
	if t := m.typeAt(m.functions[m.start]); !t.Is(nil, nil) {
		r.fail(start, "the start function is of type %s and not () -> ()", t)
	}
}

// funcForm starts the type of a function.
const funcForm = 0x60

func (m *Module) readTypes(r *reader) {
	m.types = make([]FuncType, 0, r.count("types", 3, MaxTypes))
	m.edit.begin(idType, cap(m.types), r.at)
	values := 0
	for range cap(m.types) {
		start := r.at
		if form := r.byte("a type"); form != funcForm {
			r.fail(start, "type form 0x%02x is not a function; build for WebAssembly 2.0", form)
		}
		t := FuncType{Params: r.valueTypes("parameters"), Results: r.valueTypes("results")}
		if values += len(t.Params) + len(t.Results); values > MaxSignature {
			r.fail(start, "the types up to here have %d parameters and results, over the limit of %d; pass what is large in memory", values, MaxSignature)
		}
		if r.err != nil {
			return
		}
		m.types = append(m.types, t)
	}
}

func (r *reader) valueTypes(what string) []abi.Type {
	types := make([]abi.Type, r.count(what, 1, MaxParams))
	for i := range types {
		types[i] = r.valueType()
	}
	return types
}

func (r *reader) valueType() abi.Type {
	start := r.at
	t := abi.Type(r.byte("a value type"))
	if typeName(t) == "" {
		r.fail(start, "value type 0x%02x is not of WebAssembly 2.0", byte(t))
	}
	return t
}

func (r *reader) refType() {
	start := r.at
	if t := abi.Type(r.byte("a reference type")); t != funcRef && t != externRef {
		r.fail(start, "0x%02x is not a reference type of WebAssembly 2.0", byte(t))
	}
}

func (m *Module) readImports(r *reader) {
	m.Imports = make([]Import, 0, r.count("imports", 4, MaxImports))
	m.edit.begin(idImport, cap(m.Imports), r.at)
	for range cap(m.Imports) {
		i := Import{Module: r.name("a module's name"), Name: r.name("an import's name")}
		start := r.at
		i.Kind = Kind(r.byte("an import's kind"))
		switch i.Kind {
		case Function:
			index := m.typeIndex(r)
			m.functions = append(m.functions, index)
			m.imported++
			i.Type = m.typeAt(index)
		case Table:
			m.tables++
			r.table()
			m.unsound(true, "it imports a table")
		case Memory:
			m.memories++
			r.memory()
			m.unsound(true, "it imports a memory")
		case Global:
			m.globals++
			t, _ := r.globalType()
			m.global = append(m.global, t)
			m.unsound(true, "it imports a global")
		default:
			r.fail(start, "import kind %d is not of WebAssembly 2.0", byte(i.Kind))
		}
		if r.err != nil {
			return
		}
		m.Imports = append(m.Imports, i)
	}
}

func (m *Module) typeIndex(r *reader) uint32 {
	start := r.at
	index := r.u32("a type's index")
	if r.err == nil && int64(index) >= int64(len(m.types)) {
		r.fail(start, "there is no type %d", index)
	}
	return index
}

func (m *Module) typeAt(index uint32) FuncType {
	if int64(index) >= int64(len(m.types)) {
		return FuncType{}
	}
	return m.types[index]
}

func (m *Module) readFunctions(r *reader) {
	m.Functions = r.count("functions", 1, MaxFunctions)
	m.edit.begin(idFunction, m.Functions, r.at)
	types := make([]uint32, len(m.functions), len(m.functions)+m.Functions)
	copy(types, m.functions)
	for range m.Functions {
		types = append(types, m.typeIndex(r))
	}
	m.functions = types
}

// function reads the index of a function.
func (m *Module) function(r *reader, what string) uint32 {
	start := r.at
	index := r.index(what, len(m.functions))
	if r.err == nil && int64(index) >= int64(m.imported) {
		m.edit.index(start, r.at, index+1)
	}
	return index
}

// callee returns the type of a function, an empty one if there is none.
func (m *Module) callee(index uint32) FuncType {
	if int64(index) >= int64(len(m.functions)) {
		return FuncType{}
	}
	return m.typeAt(m.functions[index])
}

// index reads an index below n.
func (r *reader) index(what string, n int) uint32 {
	start := r.at
	index := r.u32(what)
	if r.err == nil && int64(index) >= int64(n) {
		r.fail(start, "%s is %d, and there are %d", what, index, n)
	}
	return index
}

func (m *Module) readTables(r *reader) {
	n := r.count("tables", 3, MaxTables)
	m.edit.begin(idTable, n, r.at)
	for range n {
		start := r.at
		l := r.table()
		m.Tables = append(m.Tables, l)
		m.edit.table(start+1, r.at, l)
	}
	m.tables += len(m.Tables)
}

func (r *reader) table() Limits {
	r.refType()
	start := r.at
	l := r.limits("a table")
	if l.Min > MaxTable {
		r.fail(start, "a table of %d elements is over the limit of %d", l.Min, MaxTable)
	}
	return l
}

func (m *Module) readMemories(r *reader) {
	n := r.count("memories", 2, MaxMemories)
	m.edit.begin(idMemory, n, r.at)
	for range n {
		start := r.at
		l := r.memory()
		m.Memories = append(m.Memories, l)
		m.edit.memory(start, r.at, l)
	}
	m.memories += len(m.Memories)
}

func (r *reader) memory() Limits {
	start := r.at
	l := r.limits("a memory")
	if l.Min > MaxPages || l.HasMax && l.Max > MaxPages {
		r.fail(start, "a memory has at most %d pages", MaxPages)
	}
	return l
}

func (r *reader) limits(what string) (l Limits) {
	start := r.at
	switch flags := r.byte(what); {
	case flags == 2 || flags == 3:
		r.fail(start, "%s is shared; build without threads", what)
	case flags > 3:
		r.fail(start, "%s has the unknown flags 0x%02x; build for 32-bit WebAssembly 2.0", what, flags)
	case flags == 1:
		l = Limits{Min: r.u32("a minimum"), Max: r.u32("a maximum"), HasMax: true}
	default:
		l = Limits{Min: r.u32("a minimum")}
	}
	if l.HasMax && l.Max < l.Min && r.err == nil {
		r.fail(start, "%s has the maximum %d below its minimum %d", what, l.Max, l.Min)
	}
	return l
}

func (r *reader) globalType() (t abi.Type, mutable bool) {
	t = r.valueType()
	start := r.at
	flag := r.byte("a global's type")
	if flag > 1 {
		r.fail(start, "a global is mutable (1) or not (0), not %d", flag)
	}
	return t, flag == 1
}

func (m *Module) readExports(r *reader) {
	m.Exports = make([]Export, 0, r.count("exports", 3, MaxExports))
	m.edit.begin(idExport, cap(m.Exports), r.at)
	seen := make(map[string]bool, cap(m.Exports))
	for range cap(m.Exports) {
		start := r.at
		e := Export{Name: r.name("an export's name")}
		if seen[e.Name] {
			r.fail(start, "%q is exported twice", e.Name)
		}
		seen[e.Name] = true
		m.readExport(r, &e)
		if r.err != nil {
			return
		}
		m.Exports = append(m.Exports, e)
	}
}

func (m *Module) readExport(r *reader, e *Export) {
	start := r.at
	e.Kind = Kind(r.byte("an export's kind"))
	switch e.Kind {
	case Function:
		e.Index = m.function(r, "an exported function")
		if r.err == nil {
			e.Type = m.typeAt(m.functions[e.Index])
		}
	case Table:
		e.Index = r.index("an exported table", m.tables)
	case Memory:
		e.Index = r.index("an exported memory", m.memories)
	case Global:
		e.Index = r.index("an exported global", m.globals)
	default:
		r.fail(start, "export kind %d is not of WebAssembly 2.0", byte(e.Kind))
	}
}
