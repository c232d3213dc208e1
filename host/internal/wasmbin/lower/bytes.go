package lower

import (
	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/format"
)

// bytes lowers what has no instruction of the machine's for lanes of a byte.
func (l *Lowering) bytes(op uint32, r format.Reader) {
	switch op {
	case format.VecLoad8Splat:
		l.emit(format.OpI32Load8U)
		l.emit(r.B[r.At:r.End]...)
		l.emit(format.OpI32Const, 0x81, 0x02, format.OpI32Mul)
		l.vec(format.VecSplatI16)
	case format.VecSplatI8:
		l.splat()
	case format.VecShuffle:
		l.shuffle(r.B[r.At:r.End])
	case format.VecPopcnt:
		l.popcnt()
	case format.VecShlI8:
		l.shift(format.VecShlI16, format.OpI32Shl, 0xff)
	case format.VecShrUI8:
		l.shift(format.VecShrUI16, format.OpI32ShrU, 0xff)
	case format.VecShrSI8:
		l.shiftSigned()
	}
}

// shiftSigned is (x ^ sign) - sign, with the bit where the sign has come to.
func (l *Lowering) shiftSigned() {
	l.shift(format.VecShrUI16, format.OpI32ShrU, 0xff)
	sign := l.Local(format.V128, 0)
	l.shifted(format.OpI32ShrU, 0x80)
	l.tee(sign)
	l.vec(format.VecXor)
	l.get(sign)
	l.vec(format.VecSubI8)
}

// splat fills a vector with a byte.
func (l *Lowering) splat() {
	l.i32(0xff)
	l.emit(format.OpI32And)
	l.i32(0x101)
	l.emit(format.OpI32Mul)
	l.vec(format.VecSplatI16)
}

// shuffle takes bytes of either vector, nothing where the other's is taken.
func (l *Lowering) shuffle(lanes []byte) {
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
	b := l.Local(format.V128, 0)
	l.set(b)
	for i := range from {
		if i > 0 {
			l.get(b)
		}
		l.vec(format.VecConst)
		l.emit(from[i][:]...)
		l.vec(format.VecSwizzle)
	}
	l.vec(format.VecOr)
}

// popcnt counts the bits of each half of a byte in a table.
func (l *Lowering) popcnt() {
	x, table := l.Local(format.V128, 0), l.Local(format.V128, 1)
	half := func() {
		l.i32(0x0f0f)
		l.vec(format.VecSplatI16, format.VecAnd, format.VecSwizzle)
	}
	l.set(x)
	l.constant(0x03_02_02_01_02_01_01_00, 0x04_03_03_02_03_02_02_01)
	l.tee(table)
	l.get(x)
	half()
	l.get(table)
	l.get(x)
	l.i32(4)
	l.vec(format.VecShrUI16)
	half()
	l.vec(format.VecAddI8)
}

// shift shifts pairs of bytes and clears what came from the other one.
func (l *Lowering) shift(pairs uint32, op byte, mask int32) {
	by := l.Local(abi.I32, 0)
	l.i32(7)
	l.emit(format.OpI32And)
	l.tee(by)
	l.vec(pairs)
	l.shifted(op, mask)
	l.vec(format.VecAnd)
}

// shifted fills a vector with a byte that is shifted as shift did.
func (l *Lowering) shifted(op byte, b int32) {
	l.i32(b)
	l.get(l.Local(abi.I32, 0))
	l.emit(op)
	l.splat()
}
