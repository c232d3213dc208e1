package wasmbin

import "github.com/wasmoor/wasmoor/abi"

// Machines for which wazero's compiler gets instructions wrong.
const (
	amd64 = "amd64"
	arm64 = "arm64"
)

// Instructions that are lowered, or what they are lowered to.
const (
	opDrop           = 0x1a
	opSelect         = 0x1b
	opRefIsNull      = 0xd1
	firstPlain       = 0x28
	lastPlain        = 0xc4
	opI32Eqz         = 0x45
	opI32Eq          = 0x46
	opI32GeU         = 0x4f
	opI64Eq          = 0x51
	opI64LtS         = 0x53
	opI64GeU         = 0x5a
	opI32Clz         = 0x67
	opI32Ctz         = 0x68
	opI32Popcnt      = 0x69
	opI32Mul         = 0x6c
	opI32RemS        = 0x6f
	opI32RemU        = 0x70
	opI32And         = 0x71
	opI32Or          = 0x72
	opI32Xor         = 0x73
	opI64Clz         = 0x79
	opI64Ctz         = 0x7a
	opI64Popcnt      = 0x7b
	opI64Sub         = 0x7d
	opI64Mul         = 0x7e
	opI64RemS        = 0x81
	opI64RemU        = 0x82
	opI64And         = 0x83
	opI64Or          = 0x84
	opI64Xor         = 0x85
	opF32Copysign    = 0x98
	opF64Copysign    = 0xa6
	opF32Mul         = 0x94
	opF64Mul         = 0xa2
	opF32ConvertI64S = 0xb4
	opF32ConvertI64U = 0xb5
	opF64ConvertI64S = 0xb9
	opF64ConvertI64U = 0xba
	opI32WrapI64     = 0xa7
	opI32ReinterpF32 = 0xbc
	opI64ReinterpF64 = 0xbd
	opF32ReinterpI32 = 0xbe
	opF64ReinterpI64 = 0xbf

	vecSplatI64   = 18
	vecExtractI64 = 29
	vecReplaceI64 = 30
	vecReplaceF64 = 34
	vecAnd        = 78
	vecAndNot     = 79
	vecOr         = 80
	vecXor        = 81
	vecBitselect  = 82
	vecExtendI64  = 199 // low_s, high_s, low_u, high_u
	vecMulI64     = 213
	vecExtmulI64  = 220 // in the same order
	vecExtmulLast = 223
	vecConvertU   = 255 // f64x2.convert_low_i32x4_u
	vecTruncS     = 248 // i32x4.trunc_sat_f32x4_s
	vecTruncU     = 249
	vecTruncZeroS = 252 // i32x4.trunc_sat_f64x2_s_zero
	vecTruncZeroU = 253
	miscTruncF64S = 2   // i32.trunc_sat_f64_s
	vecExtendLowU = 201 // i64x2.extend_low_i32x4_u
	vecSubF64     = 241
	vecF32Min     = 232
	vecF32Max     = 233
	vecF64Min     = 244
	vecF64Max     = 245
)

// lowering writes out in other instructions what wazero v1.12.0's compiler gets
// wrong: RATIONALE.md says what, and why. Its register allocator keeps a value on
// the stack as its last definition left it. Where the machine code of one
// instruction changes a register in place, or defines it twice, and takes another
// operand from the stack meanwhile, it may have that register for it and read the
// old value back. So what is written here are instructions of one step, or of one
// operand that is used nowhere else, which keeps its register.
type lowering struct {
	e     *editor
	types operands
	first uint32       // index of the first added local
	added []addedLocal // of the body
	code  []byte       // what instructions of the body become
	count int          // of lowered instructions of the body
	all   int          // and of the module
}

// addedLocal is the nth local of its type that is added.
type addedLocal struct {
	t abi.Type
	n int
}

// start starts a body of a function of type t.
func (l *lowering) start(e *editor, m *Module, t FuncType, locals []abi.Type) {
	l.e, l.first, l.count = e, uint32(len(t.Params)+len(locals)), 0
	l.added, l.code = l.added[:0], l.code[:0]
	l.types.start(m, t, locals)
}

// local returns the index of the nth added local of type t.
func (l *lowering) local(t abi.Type, n int) uint32 {
	want := addedLocal{t, n}
	for i, have := range l.added {
		if have == want {
			return l.first + uint32(i)
		}
	}
	l.added = append(l.added, want)
	return l.first + uint32(len(l.added)-1)
}

// groups appends the added locals' groups.
func (l *lowering) groups(out []byte) []byte {
	for _, local := range l.added {
		out = append(out, 1, byte(local.t))
	}
	return out
}

// step follows the instruction that r has just passed, and lowers it if it is
// one that the compiler gets wrong. It returns what that adds to its cost.
func (l *lowering) step(r *reader, start int) (extra int) {
	if l == nil {
		return 0
	}
	op, operands, from := r.b[start], reader{b: r.b, at: start + 1, end: r.at}, len(l.code)
	switch {
	case l.types.dead(): // never compiled
	case l.e.rules.arch == amd64:
		l.lower(op, operands)
		l.compare(op)
	case l.e.rules.arch == arm64:
		l.remainder(op)
		l.compare(op)
	}
	l.types.step(op, operands)
	if extra = len(l.code) - from; extra > 0 {
		l.count++
		l.all++
		l.e.add(patch{start: start, end: r.at, kind: patchCode, value: uint32(from), most: uint32(len(l.code))})
	}
	return extra
}

// lower appends what an instruction becomes for amd64, if it is not to stay.
func (l *lowering) lower(op byte, r reader) {
	switch {
	case op == opSelect:
		l.choose(l.types.selected())
	case op == opSelectT:
		r.u32("the types")
		l.choose(abi.Type(r.byte("a type")))
	case op == opF32Copysign:
		l.copysign(abi.I32, opI32ReinterpF32, opF32ReinterpI32)
	case op == opF64Copysign:
		l.copysign(abi.I64, opI64ReinterpF64, opF64ReinterpI64)
	case op == opI32Clz, op == opI32Ctz, op == opI64Clz, op == opI64Ctz:
		l.scan(op)
	case op == opF32ConvertI64U:
		l.convert(opF32ConvertI64S, opF32ReinterpI32, opF32Mul)
	case op == opF64ConvertI64U:
		l.convert(opF64ConvertI64S, opF64ReinterpI64, opF64Mul)
	case op == opVector:
		at := r.at
		sub := r.u32("an instruction")
		l.compareLanes(sub)
		l.bytes(sub, reader{b: r.b, at: r.at, end: r.end})
		l.vector(reader{b: r.b, at: at, end: r.end})
	}
}

func (l *lowering) emit(code ...byte) {
	l.code = append(l.code, code...)
}

func (l *lowering) get(local uint32) { l.code = appendU32(append(l.code, opLocalGet), local) }
func (l *lowering) set(local uint32) { l.code = appendU32(append(l.code, opLocalSet), local) }
func (l *lowering) tee(local uint32) { l.code = appendU32(append(l.code, opLocalTee), local) }

// vec appends instructions of 0xfd.
func (l *lowering) vec(ops ...uint32) {
	for _, op := range ops {
		l.code = appendU32(append(l.code, opVector), op)
	}
}

// choose lowers a select of floats to one of integers, and of vectors to a mask.
func (l *lowering) choose(t abi.Type) {
	switch t {
	case f32Type:
		l.chooseBits(abi.I32, opI32ReinterpF32, opF32ReinterpI32)
	case f64Type:
		l.chooseBits(abi.I64, opI64ReinterpF64, opF64ReinterpI64)
	case vectorType:
		l.emit(opI32Eqz, opI64ExtendU, opI64Const, 1, opI64Sub)
		l.vec(vecSplatI64)
		l.mix()
	}
}

func (l *lowering) chooseBits(t abi.Type, to, back byte) {
	condition, other := l.local(abi.I32, 0), l.local(t, 1)
	l.set(condition)
	l.emit(to)
	l.set(other)
	l.emit(to)
	l.get(other)
	l.get(condition)
	l.emit(opSelect, back)
}

// mix takes the bits of the first vector where the third is set, else of the
// second: ((a^b)&mask)^b.
func (l *lowering) mix() {
	b, mask := l.local(vectorType, 0), l.local(vectorType, 1)
	l.set(mask)
	l.tee(b)
	l.vec(vecXor)
	l.get(mask)
	l.vec(vecAnd)
	l.get(b)
	l.vec(vecXor)
}

// copysign takes the sign of the second float: ((a^b)&sign)^a.
func (l *lowering) copysign(t abi.Type, to, back byte) {
	a, b := l.local(t, 1), l.local(t, 2)
	xor, and, sign := byte(opI32Xor), byte(opI32And), uint64(1<<31)
	if t == abi.I64 {
		xor, and, sign = opI64Xor, opI64And, 1<<63
	}
	l.emit(to)
	l.set(b)
	l.emit(to)
	l.tee(a)
	l.get(b)
	l.emit(xor)
	l.code = appendConst(l.code, t, sign)
	l.emit(and)
	l.get(a)
	l.emit(xor, back)
}

// compare parts an order of integers from an "and" that made one of them. Before
// a branch the compiler has the flags of that "and" stand for a comparison with
// zero, but takes 0 < x&y for x&y < 0 then, and on arm64 has no order of unsigned
// numbers right.
func (l *lowering) compare(op byte) {
	t, or, first := abi.I32, byte(opI32Or), byte(opI32LtS)
	switch {
	case op >= opI32LtS && op <= opI32GeU:
	case op >= opI64LtS && op <= opI64GeU:
		t, or, first = abi.I64, opI64Or, opI64LtS
	default:
		return
	}
	unsigned := (op-first)%2 == 1
	switch by := l.types.block; {
	case l.types.top(0).and == by:
		l.code = appendConst(l.code, t, 0)
		l.emit(or, op)
	case l.types.top(1).and == by && unsigned && l.e.rules.arch == arm64:
		b := l.local(t, 1)
		l.set(b)
		l.code = appendConst(l.code, t, 0)
		l.emit(or)
		l.get(b)
		l.emit(op)
	}
}

// scan lowers counts of leading and trailing zeros, which take a branch on a
// processor that does not count zeros of zero: to the number of bits in ones as
// long as they are.
func (l *lowering) scan(op byte) {
	if !l.e.rules.oldScans {
		return
	}
	t, sub, and, or, xor, shift, popcnt, bits := abi.I32, byte(opI32Sub), byte(opI32And), byte(opI32Or), byte(opI32Xor), byte(opI32ShrU), byte(opI32Popcnt), 32
	if op == opI64Clz || op == opI64Ctz {
		t, sub, and, or, xor, shift, popcnt, bits = abi.I64, opI64Sub, opI64And, opI64Or, opI64Xor, opI64ShrU, opI64Popcnt, 64
	}
	x := l.local(t, 1)
	constant := func(v uint64) { l.code = appendConst(l.code, t, v) }
	l.tee(x)
	if op == opI32Ctz || op == opI64Ctz {
		constant(1)
		l.emit(sub)
		l.get(x)
		constant(1<<64 - 1)
		l.emit(xor, and, popcnt)
		return
	}
	for by := 1; by < bits; by *= 2 {
		l.get(x)
		constant(uint64(by))
		l.emit(shift, or)
		l.tee(x)
	}
	constant(1<<64 - 1)
	l.emit(xor, popcnt)
}

// vector lowers an instruction of 0xfd.
func (l *lowering) vector(r reader) {
	switch op := r.u32("an instruction"); {
	case op == vecBitselect:
		l.mix()
	case op == vecReplaceF64 && r.byte("a lane") == 0:
		l.emit(opI64ReinterpF64)
		l.vec(vecReplaceI64)
		l.emit(0)
	case op == vecConvertU:
		l.convertLow()
	case op == vecTruncU:
		l.truncate()
	case op == vecTruncZeroS, op == vecTruncZeroU:
		l.truncateLow(byte(op - vecTruncZeroS + miscTruncF64S))
	case op == vecMulI64:
		l.multiply()
	case op >= vecExtmulI64 && op <= vecExtmulLast:
		b := l.local(vectorType, 1)
		l.vec(op - vecExtmulI64 + vecExtendI64)
		l.set(b)
		l.vec(op - vecExtmulI64 + vecExtendI64)
		l.get(b)
		l.multiply()
	case op == vecF32Min:
		l.extreme(floats32, floats32.pmin)
	case op == vecF32Max:
		l.extreme(floats32, floats32.pmax)
	case op == vecF64Min:
		l.extreme(floats64, floats64.pmin)
	case op == vecF64Max:
		l.extreme(floats64, floats64.pmax)
	}
}

// multiply multiplies two lanes of 64 bits.
func (l *lowering) multiply() {
	a, b := l.local(vectorType, 0), l.local(vectorType, 1)
	product := func(lane byte) {
		l.vec(vecExtractI64)
		l.emit(lane)
		l.get(b)
		l.vec(vecExtractI64)
		l.emit(lane, opI64Mul)
	}
	l.set(b)
	l.tee(a)
	product(0)
	l.vec(vecSplatI64)
	l.get(a)
	product(1)
	l.vec(vecReplaceI64)
	l.emit(1)
}

// floats are the instructions of a shape of floats.
type floats struct{ pmin, pmax, ne, sub, shift, quiet uint32 }

var (
	floats32 = floats{pmin: 234, pmax: 235, ne: 66, sub: 229, shift: 173, quiet: 10}
	floats64 = floats{pmin: 246, pmax: 247, ne: 72, sub: 241, shift: 205, quiet: 13}
)

// extreme is the least or the greatest of two floats by lanes. pmin and pmax
// return their first operand if the two are equal or one is not a number, so
// both ways round differ in zeros, whose sign decides, and if one is not a
// number: that becomes a canonical one, the same that the compiler makes.
func (l *lowering) extreme(f floats, pseudo uint32) {
	a, b, m := l.local(vectorType, 0), l.local(vectorType, 1), l.local(vectorType, 2)
	l.set(b)
	l.tee(a)
	l.get(b)
	l.vec(pseudo)
	l.tee(m)
	l.get(b)
	l.get(a)
	l.vec(pseudo)
	l.tee(b)
	l.vec(vecOr)
	l.tee(a)
	if pseudo == f.pmax { // of two zeros a negative one less both ways round
		l.get(m)
		l.get(b)
		l.vec(vecXor, f.sub)
	}
	l.get(a)
	l.get(a)
	l.vec(f.ne) // all bits where one of the two is not a number
	l.tee(m)
	if pseudo == f.pmin {
		l.vec(vecOr)
		l.get(m)
	}
	l.emit(opI32Const, byte(f.quiet))
	l.vec(f.shift, vecAndNot)
}

// remainder lowers integer remainders for arm64, where a division that a check
// parts from what it is for may lose its result: a - a/b*b, and a/1 in place of
// a/-1, which would trap for the least a.
func (l *lowering) remainder(op byte) {
	t, ops, signed := abi.I32, []byte{op - 2, opI32Mul, opI32Sub}, op == opI32RemS || op == opI64RemS
	switch op {
	case opI32RemS, opI32RemU:
	case opI64RemS, opI64RemU:
		t, ops = abi.I64, []byte{op - 2, opI64Mul, opI64Sub}
	default:
		return
	}
	a, b := l.local(t, 1), l.local(t, 2)
	l.set(b)
	if signed {
		l.notMinusOne(t, b)
	}
	l.tee(a)
	l.get(a)
	l.get(b)
	l.emit(ops[0])
	l.get(b)
	l.emit(ops[1], ops[2])
}

// notMinusOne has a local of -1 be 1.
func (l *lowering) notMinusOne(t abi.Type, local uint32) {
	equal := byte(opI32Eq)
	if t == abi.I64 {
		equal = opI64Eq
	}
	l.code = appendConst(l.code, t, 1)
	l.get(local)
	l.get(local)
	l.code = appendConst(l.code, t, 1<<64-1)
	l.emit(equal, opSelect)
	l.set(local)
}
