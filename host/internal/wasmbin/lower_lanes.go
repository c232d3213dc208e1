package wasmbin

import (
	"encoding/binary"
)

// Instructions on lanes that are lowered, or what they are lowered to.
const (
	vecLoad8Splat = 7
	vecConst      = 12
	vecShuffle    = 13
	vecSwizzle    = 14
	vecSplatI8    = 15
	vecSplatI16   = 16
	vecSplatI32   = 17
	vecExtractF64 = 33
	vecEqI8       = 35 // then ne, lt_s, lt_u, gt_s, gt_u, le_s, le_u, ge_s, ge_u
	vecGeUI32     = 64 // the last, over 16 and 32 bits
	vecGtF32      = 68
	vecGeF32      = 70
	vecNot        = 77
	vecPopcnt     = 98
	vecShlI8      = 107
	vecShrSI8     = 108
	vecShrUI8     = 109
	vecAddI8      = 110
	vecSubI8      = 113
	vecShlI16     = 139
	vecShrUI16    = 141
	vecEqI64      = 214 // then ne, lt_s, gt_s, le_s, ge_s
	vecSubF32     = 229

	opI32Load8U = 0x2d
	opI32Shl    = 0x74
	opI64ShrU   = 0x88
)

// compareLanes lowers comparisons of integers that end in turning all bits round,
// for which another register is needed: to the opposite, and then "not".
func (l *lowering) compareLanes(op uint32) {
	switch {
	case op >= vecEqI8 && op <= vecGeUI32:
		switch (op - vecEqI8) % 10 {
		case 1: // ne
			l.vec(op-1, vecNot)
		case 3: // lt_u, from ge_u
			l.vec(op+6, vecNot)
		case 5: // gt_u, from le_u
			l.vec(op+2, vecNot)
		}
	case op == vecEqI64+1: // ne
		l.vec(vecEqI64, vecNot)
	case op == vecEqI64+4, op == vecEqI64+5: // le_s from gt_s, ge_s from lt_s
		l.vec(vecEqI64+3-(op-vecEqI64-4), vecNot)
	}
}

func (l *lowering) i32(v int32) { l.code = appendI32(l.code, v) }

// constant pushes a vector of two words.
func (l *lowering) constant(low, high uint64) {
	l.vec(vecConst)
	l.code = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(l.code, low), high)
}

// convertLow converts two unsigned numbers: 2^52 + x, whose last bits are x, less
// 2^52.
func (l *lowering) convertLow() {
	const large = 0x43300000_00000000
	a := l.local(vectorType, 0)
	l.vec(vecExtendLowU)
	l.constant(large, large)
	l.tee(a)
	l.vec(vecOr)
	l.get(a)
	l.vec(vecSubF64)
}

// truncate converts floats to unsigned numbers: what is not over zero, or no
// number, is zero, and from 2^31 on that is taken off and put back as a bit.
func (l *lowering) truncate() {
	const half = 0x4f000000 // 2^31
	a, m := l.local(vectorType, 0), l.local(vectorType, 1)
	l.tee(a)
	l.get(a)
	l.constant(0, 0)
	l.vec(vecGtF32, vecAnd)
	l.tee(a)
	l.get(a)
	l.i32(half)
	l.vec(vecSplatI32, vecGeF32)
	l.tee(m)
	l.i32(half)
	l.vec(vecSplatI32, vecAnd, vecSubF32, vecTruncS)
	l.get(m)
	l.i32(-1 << 31)
	l.vec(vecSplatI32, vecAnd, vecOr)
}

// truncateLow converts two floats one by one with an instruction of 0xfc.
func (l *lowering) truncateLow(op byte) {
	a := l.local(vectorType, 0)
	one := func(lane byte) {
		l.vec(vecExtractF64)
		l.emit(lane, opMisc, op, opI64ExtendU)
	}
	l.tee(a)
	one(0)
	l.get(a)
	one(1)
	l.emit(opI64Const, 32, opI64Shl, opI64Or)
	l.vec(vecSplatI64)
	l.emit(opI64Const, 0)
	l.vec(vecReplaceI64)
	l.emit(1)
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
