package wasmbin

import (
	"encoding/binary"

	"github.com/wasmoor/wasmoor/abi"
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

// bytes lowers what has no instruction of the machine's for lanes of a byte.
func (l *lowering) bytes(op uint32, r reader) {
	switch op {
	case vecLoad8Splat:
		l.emit(opI32Load8U)
		l.emit(r.b[r.at:r.end]...)
		l.emit(opI32Const, 0x81, 0x02, opI32Mul)
		l.vec(vecSplatI16)
	case vecSplatI8:
		l.splat()
	case vecShuffle:
		l.shuffle(r.b[r.at:r.end])
	case vecPopcnt:
		l.popcnt()
	case vecShlI8:
		l.shift(vecShlI16, opI32Shl, 0xff)
	case vecShrUI8:
		l.shift(vecShrUI16, opI32ShrU, 0xff)
	case vecShrSI8: // (x ^ sign) - sign, with the bit where the sign has come to
		l.shift(vecShrUI16, opI32ShrU, 0xff)
		sign := l.local(vectorType, 0)
		l.shifted(opI32ShrU, 0x80)
		l.tee(sign)
		l.vec(vecXor)
		l.get(sign)
		l.vec(vecSubI8)
	}
}

// splat fills a vector with a byte.
func (l *lowering) splat() {
	l.i32(0xff)
	l.emit(opI32And)
	l.i32(0x101)
	l.emit(opI32Mul)
	l.vec(vecSplatI16)
}

func (l *lowering) i32(v int32) { l.code = appendI32(l.code, v) }

// constant pushes a vector of two words.
func (l *lowering) constant(low, high uint64) {
	l.vec(vecConst)
	l.code = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(l.code, low), high)
}

// shuffle takes bytes of either vector, nothing where the other's is taken.
func (l *lowering) shuffle(lanes []byte) {
	var from [2][16]byte
	for i, lane := range lanes {
		if lane > 31 {
			return // the engine refuses it
		}
		from[0][i], from[1][i] = lane, lane^16
		for j := range from {
			if from[j][i] > 15 {
				from[j][i] = 0xff
			}
		}
	}
	b := l.local(vectorType, 0)
	l.set(b)
	for i := range from {
		if i > 0 {
			l.get(b)
		}
		l.vec(vecConst)
		l.emit(from[i][:]...)
		l.vec(vecSwizzle)
	}
	l.vec(vecOr)
}

// popcnt counts the bits of each half of a byte in a table.
func (l *lowering) popcnt() {
	x, table := l.local(vectorType, 0), l.local(vectorType, 1)
	half := func() {
		l.i32(0x0f0f)
		l.vec(vecSplatI16, vecAnd, vecSwizzle)
	}
	l.set(x)
	l.constant(0x03_02_02_01_02_01_01_00, 0x04_03_03_02_03_02_02_01)
	l.tee(table)
	l.get(x)
	half()
	l.get(table)
	l.get(x)
	l.i32(4)
	l.vec(vecShrUI16)
	half()
	l.vec(vecAddI8)
}

// shift shifts pairs of bytes and clears what came from the other one.
func (l *lowering) shift(pairs uint32, op byte, mask int32) {
	by := l.local(abi.I32, 0)
	l.i32(7)
	l.emit(opI32And)
	l.tee(by)
	l.vec(pairs)
	l.shifted(op, mask)
	l.vec(vecAnd)
}

// shifted fills a vector with a byte that is shifted as shift did.
func (l *lowering) shifted(op byte, b int32) {
	l.i32(b)
	l.get(l.local(abi.I32, 0))
	l.emit(op)
	l.splat()
}

// convert converts an unsigned number as a signed one that is half as large if
// need be, whose last bit stands for all that are lost, and doubles the result.
func (l *lowering) convert(signed, reinterpret, mul byte) {
	x, half := l.local(abi.I64, 1), l.local(abi.I64, 2)
	l.tee(x)
	l.emit(opI64Const, 63, opI64ShrU)
	l.set(half)
	for _, op := range []byte{opI64ShrU, opI64And} {
		l.get(x)
		l.get(half)
		l.emit(op)
	}
	l.emit(opI64Or, signed)
	l.get(half)
	bias, fraction := uint64(0x3ff), byte(52)
	if reinterpret == opF32ReinterpI32 {
		bias, fraction = 0x7f, 23
	}
	l.code = appendConst(l.code, abi.I64, bias)
	l.emit(opI64Add, opI64Const, fraction, opI64Shl)
	if reinterpret == opF32ReinterpI32 {
		l.emit(opI32WrapI64)
	}
	l.emit(reinterpret, mul)
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
