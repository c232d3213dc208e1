package wasmbin

import "github.com/wasmoor/wasmoor/abi"

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
