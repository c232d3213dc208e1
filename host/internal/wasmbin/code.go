package wasmbin

// Opcodes with a meaning here; the rest matters by the length of its operands.
const (
	opBlock   = 0x02
	opLoop    = 0x03
	opIf      = 0x04
	opElse    = 0x05
	opEnd     = 0x0b
	opBrTable = 0x0e
	opSelectT = 0x1c
	opRefNull = 0xd0
	opMisc    = 0xfc
	opVector  = 0xfd
)

// readCode reads the function bodies.
func (m *Module) readCode(r *reader) {
	start := r.at
	n := r.count("function bodies", 3, MaxFunctions)
	if r.err == nil && n != m.Functions {
		r.fail(start, "%d function bodies for %d functions", n, m.Functions)
	}
	for range n {
		if m.readBody(r); r.err != nil {
			return
		}
	}
}

func (m *Module) readBody(r *reader) {
	start := r.at
	size := r.u32("a body's size")
	b := body{reader: reader{b: r.b, at: r.at, where: r.where}}
	if r.skip(size, "a function body"); r.err != nil {
		return
	}
	if size > MaxBody {
		r.fail(start, "a function body of %d bytes is over the limit of %d", size, MaxBody)
		return
	}
	b.end = r.at
	b.locals()
	b.instructions()
	if m.work += b.work(); m.work > MaxModuleWork {
		b.fail(start, "the functions up to here have together more blocks and locals than allowed (%d of %d)", m.work, MaxModuleWork)
	}
	r.err = b.err
}

// body is one function's code.
type body struct {
	reader
	declared int    // locals
	loops    []bool // of each open block, whether it is a loop
	nested   int    // open loops
	blocks   int    // so far
	targets  int    // of branch tables so far
}

func (b *body) locals() {
	start := b.at
	var total uint64
	for range b.count("groups of locals", 2, MaxLocals) {
		total += uint64(b.u32("a count of locals"))
		b.valueType()
	}
	if total > MaxLocals {
		b.fail(start, "%d locals are over the limit of %d", total, MaxLocals)
		return
	}
	b.declared = int(total)
}

// instructions walks to the end of the body and checks what makes compilers
// slow: how deep loops nest, how many blocks share how many locals, and how many
// targets a branch has.
func (b *body) instructions() {
	for b.err == nil {
		start := b.at
		switch op := b.byte("a function body"); op {
		case opBlock, opLoop, opIf:
			b.skipSigned(33) // its type
			b.open(start, op == opLoop)
		case opEnd:
			if len(b.loops) == 0 {
				b.done()
				return
			}
			b.close()
		case opBrTable:
			n := b.count("branch targets", 1, MaxTargets)
			if b.targets += n; b.targets > MaxTargets {
				b.fail(start, "%d targets of branch tables are over the limit of %d", b.targets, MaxTargets)
			}
			b.skipIndexes(n + 1)
		default:
			b.operands(start, op)
		}
	}
}

func (b *body) open(start int, loop bool) {
	b.loops = append(b.loops, loop)
	b.blocks++
	if loop {
		b.nested++
	}
	switch {
	case b.nested > MaxLoopDepth:
		b.fail(start, "loops nest deeper than %d", MaxLoopDepth)
	case len(b.loops) > MaxDepth:
		b.fail(start, "blocks nest deeper than %d", MaxDepth)
	case b.work() > MaxWork:
		b.fail(start, "a function with %d locals has more than %d blocks, more than allowed; split it", b.declared, b.blocks-1)
	}
}

// work estimates what the blocks cost a compiler: each has all the locals to
// merge, and some passes look at blocks pairwise.
func (b *body) work() int { return b.blocks * (b.declared + b.blocks/64) }

func (b *body) close() {
	last := len(b.loops) - 1
	if b.loops[last] {
		b.nested--
	}
	b.loops = b.loops[:last]
}

func (r *reader) skipIndexes(n int) {
	for range n {
		r.u32("an index")
	}
}

// operands passes the operands of an instruction of WebAssembly 2.0 (section 5.4
// of its specification).
func (r *reader) operands(start int, op byte) {
	switch {
	case op <= 0x01, op == opElse, op == 0x0f, op == 0x1a, op == 0x1b: // unreachable, nop, return, drop, select
	case op == 0x0c, op == 0x0d, op == 0x10, op == 0xd2: // br, br_if, call, ref.func
		r.skipIndexes(1)
	case op == 0x11: // call_indirect
		r.skipIndexes(2)
	case op == opSelectT:
		r.valueTypes("types")
	case op >= 0x20 && op <= 0x26: // of locals, globals, tables
		r.skipIndexes(1)
	case op >= 0x28 && op <= 0x3e: // loads and stores
		r.skipIndexes(2)
	case op == 0x3f, op == 0x40: // memory.size, memory.grow
		r.skipIndexes(1)
	case op == 0x41:
		r.skipSigned(32)
	case op == 0x42:
		r.skipSigned(64)
	case op == 0x43:
		r.skip(4, "a constant")
	case op == 0x44:
		r.skip(8, "a constant")
	case op >= 0x45 && op <= 0xc4, op == 0xd1: // numbers; ref.is_null
	case op == opRefNull:
		r.refType()
	case op == opMisc:
		r.miscOperands(start)
	case op == opVector:
		r.vectorOperands(start)
	default:
		r.fail(start, "instruction 0x%02x is not of WebAssembly 2.0; build without newer features", op)
	}
}

// miscOperands passes what follows 0xfc: saturating conversions, then bulk
// operations with one or two indexes.
func (r *reader) miscOperands(start int) {
	switch op := r.u32("an instruction"); {
	case op <= 7:
	case op == 8, op == 10, op == 12, op == 14: // memory.init and copy, table.init and copy
		r.skipIndexes(2)
	case op <= 17:
		r.skipIndexes(1)
	default:
		r.fail(start, "instruction 0xfc %d is not of WebAssembly 2.0; build without newer features", op)
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
