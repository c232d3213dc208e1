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
// register before it is done, it may give that one away and read the old value
// back. So what is written here are instructions that take none in between.
type lowering struct {
	e     *editor
	types operands
	first uint32       // index of the first added local
	added []addedLocal // of the body
	code  []byte       // what instructions of the body become
	count int          // of lowered instructions of the body
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
