package wasmbin

import "github.com/wasmoor/wasmoor/abi"

// Opcodes with a meaning here; the rest matters by the length of its operands.
const (
	opUnreachable  = 0x00
	opBlock        = 0x02
	opLoop         = 0x03
	opIf           = 0x04
	opElse         = 0x05
	opEnd          = 0x0b
	opBr           = 0x0c
	opBrIf         = 0x0d
	opBrTable      = 0x0e
	opReturn       = 0x0f
	opCall         = 0x10
	opCallIndirect = 0x11
	opSelectT      = 0x1c
	opGlobalGet    = 0x23
	opGlobalSet    = 0x24
	opTableGet     = 0x25
	opTableSet     = 0x26
	opMemorySize   = 0x3f
	opMemoryGrow   = 0x40
	opRefNull      = 0xd0
	opRefFunc      = 0xd2
	opMisc         = 0xfc
	opVector       = 0xfd
)

// What follows opMisc.
const (
	miscMemoryInit = 8
	miscDataDrop   = 9
	miscMemoryCopy = 10
	miscMemoryFill = 11
	miscTableInit  = 12
	miscElemDrop   = 13
	miscTableCopy  = 14
	miscTableGrow  = 15
	miscTableSize  = 16
	miscTableFill  = 17
)

// blockEmpty is the type of a block that leaves nothing.
const blockEmpty = 0x40

// readCode reads the function bodies.
func (m *Module) readCode(r *reader) {
	start := r.at
	n := r.count("function bodies", 3, MaxFunctions)
	m.edit.begin(idCode, n, r.at)
	m.edit.startCode(m)
	if r.err == nil && n != m.Functions {
		r.fail(start, "%d function bodies for %d functions", n, m.Functions)
	}
	for i := range n {
		if m.readBody(r, m.imported+i); r.err != nil {
			return
		}
	}
}

// readBody reads the body of the function of that index.
func (m *Module) readBody(r *reader, index int) {
	start := r.at
	size := r.u32("a body's size")
	t := m.callee(uint32(index))
	b := body{reader: reader{b: r.b, at: r.at, where: r.where}, m: m, labels: []label{{values: len(t.Results)}}}
	if r.skip(size, "a function body"); r.err != nil {
		return
	}
	if size > MaxBody {
		r.fail(start, "a function body of %d bytes is over the limit of %d", size, MaxBody)
		return
	}
	b.end = r.at
	content := b.at
	b.locals()
	b.cost.locals = len(t.Params) + b.declared
	m.edit.startBody(m, content, &b, t)
	b.instructions()
	b.total(start)
	if r.err = b.err; r.err == nil {
		m.edit.flushBody(r.at)
	}
}

// body is one function's code.
type body struct {
	reader
	m        *Module
	flow     *flow // nil without instrumentation
	lowering *lowering
	groups   int // of locals
	first    int // offset of the first group
	declared int // locals
	labels   []label
	nested   int // open loops
	cost     cost
}

func (b *body) locals() {
	start := b.at
	var total uint64
	b.groups = b.count("groups of locals", 2, MaxLocals)
	b.first = b.at
	b.m.locals = b.m.locals[:0]
	for range b.groups {
		n := b.u32("a count of locals")
		t := b.valueType()
		if total += uint64(n); total > MaxLocals {
			continue // for the sum
		}
		for range n {
			b.m.locals = append(b.m.locals, t)
		}
	}
	if total > MaxLocals {
		b.fail(start, "%d locals are over the limit of %d", total, MaxLocals)
		return
	}
	b.declared = int(total)
}

// instructions walks to the end of the body and checks what makes compilers
// slow (see cost).
func (b *body) instructions() {
	for b.err == nil {
		start := b.at
		switch op := b.byte("a function body"); op {
		case opBlock, opLoop, opIf:
			b.open(start, op, b.m.blockType(&b.reader))
		case opEnd:
			if len(b.labels) == 1 {
				b.done()
				b.flow.finish()
				return
			}
			b.close()
		case opBr:
			b.branch(start)
		case opBrIf:
			b.branch(start)
			b.split(start, 1)
		case opBrTable:
			n := b.count("branch targets", 1, MaxTargets)
			b.choose(start, n)
			for range n + 1 {
				b.branch(start)
			}
		default:
			b.operands(start, op)
		}
		if b.err == nil {
			b.flow.step(&b.reader, start, b.lower(start))
		}
	}
}

// lower lowers the instruction that was just passed if the engine's compiler
// gets it wrong, and returns what that adds to its cost.
func (b *body) lower(start int) int {
	extra := b.lowering.step(&b.reader, start)
	if extra > 0 && b.lowering.count > MaxLowered {
		b.fail(start, "a function has more than %d instructions that are written out (selects of floats, copysign and others); split it", MaxLowered)
	}
	return extra
}

// blockType passes the type of a block: none, a value, or the index of a type.
func (m *Module) blockType(r *reader) FuncType {
	start := r.at
	if start < r.end && r.b[start] != blockEmpty {
		if typeName(abi.Type(r.b[start])) == "" {
			return m.typeAt(r.index("a block's type", len(m.types)))
		}
		return FuncType{Results: []abi.Type{abi.Type(r.byte("a block's type"))}}
	}
	r.byte("a block's type")
	return FuncType{}
}

func (r *reader) skipIndexes(n int) {
	for range n {
		r.u32("an index")
	}
}

// operands passes the operands of an instruction of WebAssembly 2.0 (section 5.4
// of its specification).
func (b *body) operands(start int, op byte) {
	switch {
	case op <= 0x01, op == opElse, op == 0x0f, op == 0x1a, op == 0x1b: // unreachable, nop, return, drop, select
	case op == opCall:
		b.call(start, b.m.callee(b.m.function(&b.reader, "a function")))
	case op == opRefFunc:
		b.m.function(&b.reader, "a function")
	case op == opCallIndirect:
		b.call(start, b.m.typeAt(b.index("a type", len(b.m.types))))
		b.index("a table", b.m.tables)
	case op == opSelectT:
		b.valueTypes("types")
	case op >= 0x20 && op <= 0x22: // of locals
		b.skipIndexes(1)
	case op == opGlobalGet, op == opGlobalSet:
		b.index("a global", b.m.globals)
	case op == opTableGet, op == opTableSet:
		b.index("a table", b.m.tables)
		b.m.unsound(op == opTableSet, "its code writes to a table (table.set)")
	case op >= 0x28 && op <= 0x3e: // loads and stores
		b.skipIndexes(2)
	case op == opMemorySize:
		b.index("a memory", b.m.memories)
	case op == opMemoryGrow:
		b.index("a memory", b.m.memories)
		b.split(start, 1)
	case op == 0x41:
		b.skipSigned(32)
	case op == 0x42:
		b.skipSigned(64)
	case op == 0x43:
		b.skip(4, "a constant")
	case op == 0x44:
		b.skip(8, "a constant")
	case op >= 0x45 && op <= 0xc4, op == 0xd1: // numbers; ref.is_null
	case op == opRefNull:
		b.refType()
	case op == opMisc:
		b.miscOperands(start)
	case op == opVector:
		b.vectorOperands(start)
	case op >= 0x06 && op <= 0x0a, op == 0x18, op == 0x19, op == 0x1f: // try, catch, throw, rethrow, throw_ref, delegate, catch_all, try_table
		b.fail(start, "instruction 0x%02x is of exception handling, which is not supported; build without exceptions, and without setjmp that uses them", op)
	default:
		b.fail(start, "instruction 0x%02x is not of WebAssembly 2.0; build without newer features", op)
	}
}

// miscOperands passes what follows 0xfc: saturating conversions, then bulk
// operations with one or two indexes.
func (b *body) miscOperands(start int) {
	op := b.u32("an instruction")
	b.split(start, miscBlocks(op))
	switch op {
	case 0, 1, 2, 3, 4, 5, 6, 7:
	case miscMemoryInit:
		b.index("a data segment", MaxData)
		b.index("a memory", b.m.memories)
	case miscMemoryCopy:
		b.index("a memory", b.m.memories)
		b.index("a memory", b.m.memories)
		b.m.edit.large(patchCopy, start, b.at)
	case miscMemoryFill:
		b.index("a memory", b.m.memories)
		b.m.edit.large(patchFill, start, b.at)
	case miscTableInit, miscTableCopy:
		b.skipIndexes(2)
		b.m.unsound(true, "its code writes to a table (table.init or table.copy)")
	case miscDataDrop, miscElemDrop:
		b.skipIndexes(1)
		b.m.unsound(true, "its code drops segments (data.drop or elem.drop)")
	case miscTableGrow, miscTableFill:
		b.index("a table", b.m.tables)
		b.m.unsound(true, "its code writes to a table (table.grow or table.fill)")
	case miscTableSize:
		b.index("a table", b.m.tables)
	default:
		b.fail(start, "instruction 0xfc %d is not of WebAssembly 2.0; build without newer features", op)
	}
}

// vectorOperands passes what follows 0xfd.
func (r *reader) vectorOperands(start int) {
	switch op := r.u32("an instruction"); {
	case op <= 11, op == 92, op == 93: // loads and stores
		r.skipIndexes(2)
	case op == 12, op == 13: // constant, shuffle
		r.skip(16, "a vector")
	case op >= 21 && op <= 34: // lanes
		r.skip(1, "a lane")
	case op >= 84 && op <= 91: // loads and stores of a lane
		r.skipIndexes(2)
		r.skip(1, "a lane")
	case op > 255:
		r.fail(start, "instruction 0xfd %d is not of WebAssembly 2.0; build without newer features", op)
	}
}
