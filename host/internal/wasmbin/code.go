package wasmbin

import (
	"math"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/format"
)

// readCode reads the function bodies.
func (m *Scan) readCode(r *format.Reader) {
	start := r.At
	n := r.Count("function bodies", 3, format.MaxFunctions)
	m.visitor.Section(format.IDCode, n, r.At)
	m.visitor.Code(m)
	if r.Err == nil && n != m.Functions {
		r.Fail(start, "%d function bodies for %d functions", n, m.Functions)
	}
	for i := range n {
		if m.readBody(r, m.ImportedFunctions+i); r.Err != nil {
			return
		}
	}
	m.checkWork(r)
}

// readBody reads the body of the function of that index.
func (m *Scan) readBody(r *format.Reader, index int) {
	start := r.At
	size := r.U32("a body's size")
	t := m.Callee(uint32(index))
	b := body{Reader: format.Reader{B: r.B, At: r.At, Where: r.Where}, m: m, labels: []label{{values: len(t.Results)}}}
	if r.Skip(size, "a function body"); r.Err != nil {
		return
	}
	b.End = r.At
	content := b.At
	b.locals()
	b.cost.locals = len(t.Params) + b.declared
	if b.Err == nil {
		m.visitor.Body(m, Body{Type: t, Locals: m.locals, Start: content, Groups: b.groups, FirstGroup: b.first, Code: b.At})
	}
	b.instructions()
	b.total(start, index)
	if r.Err = b.Err; r.Err == nil {
		m.visitor.EndBody(r.At)
	} else {
		r.Err = m.within(index, r.B, r.Err)
	}
}

// body is one function's code.
type body struct {
	format.Reader
	m        *Scan
	groups   int // of locals
	first    int // offset of the first group
	declared int // locals
	labels   []label
	nested   int // open loops
	cost     cost
}

func (b *body) locals() {
	start := b.At
	var total uint64
	b.groups = b.Count("groups of locals", 2, format.MaxLocals)
	b.first = b.At
	b.m.locals = b.m.locals[:0]
	for range b.groups {
		n := b.U32("a count of locals")
		t := b.ValueType()
		if total += uint64(n); total > format.MaxLocals {
			continue // for the sum
		}
		for range n {
			b.m.locals = append(b.m.locals, t)
		}
	}
	if total > format.MaxLocals {
		b.Fail(start, "%d locals are over the limit of %d", total, format.MaxLocals)
		return
	}
	b.declared = int(total)
}

// instructions walks to the end of the body and checks what makes compilers
// slow (see cost).
func (b *body) instructions() {
	for b.Err == nil {
		start := b.At
		switch op := b.Byte("a function body"); op {
		case format.OpBlock, format.OpLoop, format.OpIf:
			b.open(start, op, b.m.BlockType(&b.Reader))
		case format.OpEnd:
			if len(b.labels) == 1 {
				b.Done()
				return
			}
			b.close()
		case format.OpBr:
			b.branch(start)
		case format.OpBrIf:
			b.branch(start)
			b.split(1)
		case format.OpBrTable:
			n := b.Count("branch targets", 1, math.MaxInt32)
			b.choose(n)
			for range n + 1 {
				b.branch(start)
			}
		default:
			b.operands(start, op)
		}
		if b.Err == nil {
			b.m.visitor.Instruction(&b.Reader, start)
		}
	}
}

// BlockType passes the type of a block: none, a value, or the index of a type.
func (m *Scan) BlockType(r *format.Reader) FuncType {
	start := r.At
	if start < r.End && r.B[start] != format.BlockEmpty {
		if format.TypeName(abi.Type(r.B[start])) == "" {
			return m.TypeAt(r.Index("a block's type", len(m.Types)))
		}
		return FuncType{Results: []abi.Type{abi.Type(r.Byte("a block's type"))}}
	}
	r.Byte("a block's type")
	return FuncType{}
}

// operands passes the operands of an instruction of WebAssembly 2.0 (section 5.4
// of its specification).
func (b *body) operands(start int, op byte) {
	switch {
	case op <= 0x01, op == format.OpElse, op == 0x0f, op == 0x1a, op == 0x1b: // unreachable, nop, return, drop, select
	case op == format.OpCall, op == format.OpTailCall:
		b.call(start, b.m.Callee(b.m.function(&b.Reader, "a function")))
	case op == format.OpRefFunc:
		b.m.function(&b.Reader, "a function")
	case op == format.OpCallIndirect, op == format.OpTailIndirect:
		b.call(start, b.m.TypeAt(b.Index("a type", len(b.m.Types))))
		b.Index("a table", b.m.tables)
	case op == format.OpSelectT:
		b.ValueTypes("types")
	case op >= 0x20 && op <= 0x22: // of locals
		b.SkipIndexes(1)
	case op == format.OpGlobalGet, op == format.OpGlobalSet:
		b.Index("a global", b.m.globals)
	case op == format.OpTableGet, op == format.OpTableSet:
		b.Index("a table", b.m.tables)
		b.m.unsound(op == format.OpTableSet, "its code writes to a table (table.set)")
	case op >= 0x28 && op <= 0x3e: // loads and stores
		b.SkipIndexes(2)
	case op == format.OpMemorySize:
		b.Index("a memory", b.m.memories)
	case op == format.OpMemoryGrow:
		b.Index("a memory", b.m.memories)
		b.split(1)
	case op == 0x41:
		b.SkipSigned(32)
	case op == 0x42:
		b.SkipSigned(64)
	case op == 0x43:
		b.Skip(4, "a constant")
	case op == 0x44:
		b.Skip(8, "a constant")
	case op >= 0x45 && op <= 0xc4, op == 0xd1: // numbers; ref.is_null
	case op == format.OpRefNull:
		b.RefType()
	case op == format.OpMisc:
		b.miscOperands(start)
	case op == format.OpVector:
		b.vectorOperands(start)
	default:
		b.RefuseInstruction(start, op)
	}
}

// miscOperands passes what follows 0xfc: saturating conversions, then bulk
// operations with one or two indexes.
func (b *body) miscOperands(start int) {
	op := b.U32("an instruction")
	b.split(miscBlocks(op))
	switch op {
	case 0, 1, 2, 3, 4, 5, 6, 7:
	case format.MiscMemoryInit:
		b.Index("a data segment", format.MaxData)
		b.Index("a memory", b.m.memories)
	case format.MiscMemoryCopy:
		b.Index("a memory", b.m.memories)
		b.Index("a memory", b.m.memories)
		b.m.visitor.Bulk(op, start, b.At)
	case format.MiscMemoryFill:
		b.Index("a memory", b.m.memories)
		b.m.visitor.Bulk(op, start, b.At)
	case format.MiscTableInit, format.MiscTableCopy:
		b.SkipIndexes(2)
		b.m.unsound(true, "its code writes to a table (table.init or table.copy)")
	case format.MiscDataDrop, format.MiscElemDrop:
		b.SkipIndexes(1)
		b.m.unsound(true, "its code drops segments (data.drop or elem.drop)")
	case format.MiscTableGrow, format.MiscTableFill:
		b.Index("a table", b.m.tables)
		b.m.unsound(true, "its code writes to a table (table.grow or table.fill)")
	case format.MiscTableSize:
		b.Index("a table", b.m.tables)
	default:
		b.RefuseMisc(start, op)
	}
}

// vectorOperands passes what follows 0xfd.
func (b *body) vectorOperands(start int) {
	switch op := b.U32("an instruction"); {
	case op <= 11, op == 92, op == 93: // loads and stores
		b.SkipIndexes(2)
	case op == 12, op == 13: // constant, shuffle
		b.Skip(16, "a vector")
	case op >= 21 && op <= 34: // lanes
		b.Skip(1, "a lane")
	case op >= 84 && op <= 91: // loads and stores of a lane
		b.SkipIndexes(2)
		b.Skip(1, "a lane")
	case op > 255:
		b.RefuseVector(start, op)
	}
}
