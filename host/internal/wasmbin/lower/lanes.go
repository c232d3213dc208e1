package lower

import (
	"encoding/binary"

	"github.com/wasmoor/wasmoor/host/internal/wasmbin/format"
)

// compareLanes lowers comparisons of integers that end in turning all bits round,
// for which another register is needed: to the opposite, and then "not".
func (l *Lowering) compareLanes(op uint32) {
	switch {
	case op >= format.VecEqI8 && op <= format.VecGeUI32:
		switch (op - format.VecEqI8) % 10 {
		case 1: // ne
			l.vec(op-1, format.VecNot)
		case 3: // lt_u, from ge_u
			l.vec(op+6, format.VecNot)
		case 5: // gt_u, from le_u
			l.vec(op+2, format.VecNot)
		}
	case op == format.VecEqI64+1: // ne
		l.vec(format.VecEqI64, format.VecNot)
	case op == format.VecEqI64+4, op == format.VecEqI64+5: // le_s from gt_s, ge_s from lt_s
		l.vec(format.VecEqI64+3-(op-format.VecEqI64-4), format.VecNot)
	}
}

func (l *Lowering) i32(v int32) { l.code = format.AppendI32(l.code, v) }

// constant pushes a vector of two words.
func (l *Lowering) constant(low, high uint64) {
	l.vec(format.VecConst)
	l.code = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(l.code, low), high)
}

// convertLow converts two unsigned numbers: 2^52 + x, whose last bits are x, less
// 2^52.
func (l *Lowering) convertLow() {
	const large = 0x43300000_00000000
	a := l.Local(format.V128, 0)
	l.vec(format.VecExtendLowU)
	l.constant(large, large)
	l.tee(a)
	l.vec(format.VecOr)
	l.get(a)
	l.vec(format.VecSubF64)
}

// truncate converts floats to unsigned numbers: what is not over zero, or no
// number, is zero, and from 2^31 on that is taken off and put back as a bit.
func (l *Lowering) truncate() {
	const half = 0x4f000000 // 2^31
	a, m := l.Local(format.V128, 0), l.Local(format.V128, 1)
	l.tee(a)
	l.get(a)
	l.constant(0, 0)
	l.vec(format.VecGtF32, format.VecAnd)
	l.tee(a)
	l.get(a)
	l.i32(half)
	l.vec(format.VecSplatI32, format.VecGeF32)
	l.tee(m)
	l.i32(half)
	l.vec(format.VecSplatI32, format.VecAnd, format.VecSubF32, format.VecTruncS)
	l.get(m)
	l.i32(-1 << 31)
	l.vec(format.VecSplatI32, format.VecAnd, format.VecOr)
}

// truncateLow converts two floats one by one with an instruction of 0xfc.
func (l *Lowering) truncateLow(op byte) {
	a := l.Local(format.V128, 0)
	one := func(lane byte) {
		l.vec(format.VecExtractF64)
		l.emit(lane, format.OpMisc, op, format.OpI64ExtendU)
	}
	l.tee(a)
	one(0)
	l.get(a)
	one(1)
	l.emit(format.OpI64Const, 32, format.OpI64Shl, format.OpI64Or)
	l.vec(format.VecSplatI64)
	l.emit(format.OpI64Const, 0)
	l.vec(format.VecReplaceI64)
	l.emit(1)
}

// mix takes the bits of the first vector where the third is set, else of the
// second: ((a^b)&mask)^b.
func (l *Lowering) mix() {
	b, mask := l.Local(format.V128, 0), l.Local(format.V128, 1)
	l.set(mask)
	l.tee(b)
	l.vec(format.VecXor)
	l.get(mask)
	l.vec(format.VecAnd)
	l.get(b)
	l.vec(format.VecXor)
}

// vector lowers an instruction of 0xfd.
func (l *Lowering) vector(r format.Reader) {
	switch op := r.U32("an instruction"); {
	case op == format.VecBitselect:
		l.mix()
	case op == format.VecReplaceF64 && r.Byte("a lane") == 0:
		l.emit(format.OpI64ReinterpF64)
		l.vec(format.VecReplaceI64)
		l.emit(0)
	case op == format.VecConvertU:
		l.convertLow()
	case op == format.VecTruncU:
		l.truncate()
	case op == format.VecTruncZeroS, op == format.VecTruncZeroU:
		l.truncateLow(byte(op - format.VecTruncZeroS + format.MiscTruncF64S))
	case op == format.VecMulI64:
		l.multiply()
	case op >= format.VecExtmulI64 && op <= format.VecExtmulLast:
		b := l.Local(format.V128, 1)
		l.vec(op - format.VecExtmulI64 + format.VecExtendI64)
		l.set(b)
		l.vec(op - format.VecExtmulI64 + format.VecExtendI64)
		l.get(b)
		l.multiply()
	case op == format.VecF32Min:
		l.extreme(floats32, floats32.pmin)
	case op == format.VecF32Max:
		l.extreme(floats32, floats32.pmax)
	case op == format.VecF64Min:
		l.extreme(floats64, floats64.pmin)
	case op == format.VecF64Max:
		l.extreme(floats64, floats64.pmax)
	}
}

// multiply multiplies two lanes of 64 bits.
func (l *Lowering) multiply() {
	a, b := l.Local(format.V128, 0), l.Local(format.V128, 1)
	product := func(lane byte) {
		l.vec(format.VecExtractI64)
		l.emit(lane)
		l.get(b)
		l.vec(format.VecExtractI64)
		l.emit(lane, format.OpI64Mul)
	}
	l.set(b)
	l.tee(a)
	product(0)
	l.vec(format.VecSplatI64)
	l.get(a)
	product(1)
	l.vec(format.VecReplaceI64)
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
func (l *Lowering) extreme(f floats, pseudo uint32) {
	a, b, m := l.Local(format.V128, 0), l.Local(format.V128, 1), l.Local(format.V128, 2)
	l.set(b)
	l.tee(a)
	l.get(b)
	l.vec(pseudo)
	l.tee(m)
	l.get(b)
	l.get(a)
	l.vec(pseudo)
	l.tee(b)
	l.vec(format.VecOr)
	l.tee(a)
	if pseudo == f.pmax { // of two zeros a negative one less both ways round
		l.get(m)
		l.get(b)
		l.vec(format.VecXor, f.sub)
	}
	l.get(a)
	l.get(a)
	l.vec(f.ne) // all bits where one of the two is not a number
	l.tee(m)
	if pseudo == f.pmin {
		l.vec(format.VecOr)
		l.get(m)
	}
	l.emit(format.OpI32Const, byte(f.quiet))
	l.vec(f.shift, format.VecAndNot)
}
