package wasmbin

import (
	"fmt"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/format"
)

func (m *Scan) readGlobals(r *format.Reader) {
	m.Globals = r.Count("globals", 4, format.MaxGlobals)
	m.globals += m.Globals
	m.visitor.Section(format.IDGlobal, m.Globals, r.At)
	for i := range m.Globals {
		t, mutable := r.GlobalType()
		m.GlobalTypes = append(m.GlobalTypes, t)
		if mutable {
			m.Mutable = append(m.Mutable, MutableGlobal{t, i})
		}
		m.Constant(r)
		if r.Err != nil {
			return
		}
	}
	m.checkMutable()
}

// readElements passes the element segments: form 0 to 7 of the specification's
// table, whose bits say passive or declared, with table index or kind, and
// expressions in place of function indexes.
func (m *Scan) readElements(r *format.Reader) {
	n := r.Count("element segments", 3, format.MaxElements)
	m.visitor.Section(format.IDElement, n, r.At)
	for range n {
		if m.readElement(r); r.Err != nil {
			return
		}
		m.visitor.Item(r.At)
	}
}

func (m *Scan) readElement(r *format.Reader) {
	start := r.At
	form := r.U32("a segment's form")
	if form > 7 {
		r.Fail(start, "element segment of the unknown form %d", form)
	}
	passive, explicit, expressions := form&1 != 0, form&2 != 0, form&4 != 0
	if !passive {
		if explicit {
			r.Index("a segment's table", m.tables)
		}
		m.Constant(r)
	}
	if passive || explicit {
		elementKind(r, expressions)
	}
	m.readElementItems(r, expressions)
}

func elementKind(r *format.Reader, expressions bool) {
	if expressions {
		r.RefType()
		return
	}
	start := r.At
	if kind := r.Byte("a segment's kind"); kind != 0 {
		r.Fail(start, "element kind %d is not a function", kind)
	}
}

func (m *Scan) readElementItems(r *format.Reader, expressions bool) {
	size := 1
	if expressions {
		size = 2
	}
	for range r.Count("elements", size, format.MaxTable) {
		if expressions {
			m.Constant(r)
		} else {
			m.function(r, "an element")
		}
		if r.Err != nil {
			return
		}
	}
}

func (m *Scan) readData(r *format.Reader) {
	start := r.At
	n := r.Count("data segments", 2, format.MaxData)
	if r.Err == nil && m.DataCount >= 0 && n != m.DataCount {
		r.Fail(start, "%d data segments, and the data count is %d", n, m.DataCount)
	}
	m.visitor.Section(format.IDData, n, r.At)
	for range n {
		m.DataStart(r)
		size := r.U32("a segment's size")
		r.Skip(size, "a data segment")
		if r.Err != nil {
			return
		}
		m.LargestData = max(m.LargestData, int(size))
		m.visitor.Item(r.At)
	}
}

// Forms of data segments.
const (
	DataActive   = 0
	DataPassive  = 1
	DataExplicit = 2 // active, with the index of its memory
)

// DataStart passes what comes before a data segment's bytes and returns its form.
func (m *Scan) DataStart(r *format.Reader) uint32 {
	start := r.At
	form := r.U32("a segment's form")
	switch form {
	case DataActive:
		m.Constant(r)
	case DataPassive:
	case DataExplicit:
		r.Index("a segment's memory", m.memories)
		m.Constant(r)
	default:
		r.Fail(start, "data segment of the unknown form %d", form)
	}
	return form
}

// Constant passes a constant expression of WebAssembly 2.0 and its end. Sums and
// products (extended constants) are among them; what it means is the engine's
// to check.
func (m *Scan) Constant(r *format.Reader) {
	for r.Err == nil {
		start := r.At
		switch op := r.Byte("a constant expression"); op {
		case format.OpEnd:
			return
		case format.OpGlobalGet:
			r.Index("a global", m.globals)
		case format.OpRefFunc:
			m.function(r, "a function")
		case 0x41: // i32.const
			r.SkipSigned(32)
		case 0x42: // i64.const
			r.SkipSigned(64)
		case 0x43: // f32.const
			r.Skip(4, "a constant")
		case 0x44: // f64.const
			r.Skip(8, "a constant")
		case 0x6a, 0x6b, 0x6c, 0x7c, 0x7d, 0x7e: // add, sub, mul of i32 and i64
		case 0xd0: // ref.null
			r.RefType()
		case 0xfd: // v128.const
			if sub := r.U32("an instruction"); sub != 0x0c {
				r.Fail(start, "instruction 0xfd %d in a constant expression", sub)
			}
			r.Skip(16, "a constant")
		case 0xfb:
			r.RefuseInstruction(start, op)
		default:
			r.Fail(start, "instruction 0x%02x in a constant expression", op)
		}
	}
}

// checkMutable judges the mutable globals, of which the host sets numbers.
func (m *Scan) checkMutable() {
	m.unsound(len(m.Mutable) > format.MaxResetGlobals, fmt.Sprintf("it has more than %d mutable globals", format.MaxResetGlobals))
	for _, g := range m.Mutable {
		switch g.Type {
		case abi.I32, abi.I64, format.F32, format.F64:
		default:
			m.unsound(true, fmt.Sprintf("it has a mutable global of type %s", format.TypeName(g.Type)))
		}
	}
}

// AnyScan returns one with every index that a constant may name, to read again what
// a scan has taken.
func AnyScan() *Scan {
	const functions = format.MaxImports + format.MaxFunctions
	return &Scan{
		FunctionTypes: make([]uint32, functions), ImportedFunctions: functions,
		globals: format.MaxImports + format.MaxGlobals, memories: format.MaxMemories, visitor: nobody{},
	}
}
