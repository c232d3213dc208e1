package lower

import (
	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/format"
)

// choose lowers a select of floats to one of integers, and of vectors to a mask.
func (l *Lowering) choose(t abi.Type) {
	switch t {
	case format.F32:
		l.chooseBits(abi.I32, format.OpI32ReinterpF32, format.OpF32ReinterpI32)
	case format.F64:
		l.chooseBits(abi.I64, format.OpI64ReinterpF64, format.OpF64ReinterpI64)
	case format.V128:
		l.emit(format.OpI32Eqz, format.OpI64ExtendU, format.OpI64Const, 1, format.OpI64Sub)
		l.vec(format.VecSplatI64)
		l.mix()
	}
}

func (l *Lowering) chooseBits(t abi.Type, to, back byte) {
	condition, other := l.Local(abi.I32, 0), l.Local(t, 1)
	l.set(condition)
	l.emit(to)
	l.set(other)
	l.emit(to)
	l.get(other)
	l.get(condition)
	l.emit(format.OpSelect, back)
}

// copysign takes the sign of the second float: ((a^b)&sign)^a.
func (l *Lowering) copysign(t abi.Type, to, back byte) {
	a, b := l.Local(t, 1), l.Local(t, 2)
	xor, and, sign := byte(format.OpI32Xor), byte(format.OpI32And), uint64(1<<31)
	if t == abi.I64 {
		xor, and, sign = format.OpI64Xor, format.OpI64And, 1<<63
	}
	l.emit(to)
	l.set(b)
	l.emit(to)
	l.tee(a)
	l.get(b)
	l.emit(xor)
	l.code = format.AppendConst(l.code, t, sign)
	l.emit(and)
	l.get(a)
	l.emit(xor, back)
}

// compare parts an order of integers from an "and" that made one of them. Before
// a branch the compiler has the flags of that "and" stand for a comparison with
// zero, but takes 0 < x&y for x&y < 0 then, and on ARM64 has no order of unsigned
// numbers right.
func (l *Lowering) compare(op byte) {
	t, or, first := abi.I32, byte(format.OpI32Or), byte(format.OpI32LtS)
	switch {
	case op >= format.OpI32LtS && op <= format.OpI32GeU:
	case op >= format.OpI64LtS && op <= format.OpI64GeU:
		t, or, first = abi.I64, format.OpI64Or, format.OpI64LtS
	default:
		return
	}
	unsigned := (op-first)%2 == 1
	switch by := l.types.block; {
	case l.types.top(0).and == by:
		l.code = format.AppendConst(l.code, t, 0)
		l.emit(or, op)
	case l.types.top(1).and == by && unsigned && l.Arch == ARM64:
		b := l.Local(t, 1)
		l.set(b)
		l.code = format.AppendConst(l.code, t, 0)
		l.emit(or)
		l.get(b)
		l.emit(op)
	}
}

// scan lowers counts of leading and trailing zeros, which take a branch on a
// processor that does not count zeros of zero: to the number of bits in ones as
// long as they are.
func (l *Lowering) scan(op byte) {
	if !l.OldScans {
		return
	}
	t, sub, and, or, xor, shift, popcnt, bits := abi.I32, byte(format.OpI32Sub), byte(format.OpI32And), byte(format.OpI32Or), byte(format.OpI32Xor), byte(format.OpI32ShrU), byte(format.OpI32Popcnt), 32
	if op == format.OpI64Clz || op == format.OpI64Ctz {
		t, sub, and, or, xor, shift, popcnt, bits = abi.I64, format.OpI64Sub, format.OpI64And, format.OpI64Or, format.OpI64Xor, format.OpI64ShrU, format.OpI64Popcnt, 64
	}
	x := l.Local(t, 1)
	constant := func(v uint64) { l.code = format.AppendConst(l.code, t, v) }
	l.tee(x)
	if op == format.OpI32Ctz || op == format.OpI64Ctz {
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

// remainder lowers integer remainders for ARM64, where a division that a check
// parts from what it is for may lose its result: a - a/b*b, and a/1 in place of
// a/-1, which would trap for the least a.
func (l *Lowering) remainder(op byte) {
	t, ops, signed := abi.I32, []byte{op - 2, format.OpI32Mul, format.OpI32Sub}, op == format.OpI32RemS || op == format.OpI64RemS
	switch op {
	case format.OpI32RemS, format.OpI32RemU:
	case format.OpI64RemS, format.OpI64RemU:
		t, ops = abi.I64, []byte{op - 2, format.OpI64Mul, format.OpI64Sub}
	default:
		return
	}
	a, b := l.Local(t, 1), l.Local(t, 2)
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
func (l *Lowering) notMinusOne(t abi.Type, local uint32) {
	equal := byte(format.OpI32Eq)
	if t == abi.I64 {
		equal = format.OpI64Eq
	}
	l.code = format.AppendConst(l.code, t, 1)
	l.get(local)
	l.get(local)
	l.code = format.AppendConst(l.code, t, 1<<64-1)
	l.emit(equal, format.OpSelect)
	l.set(local)
}

// convert converts an unsigned number as a signed one that is half as large if
// need be, whose last bit stands for all that are lost, and doubles the result.
func (l *Lowering) convert(signed, reinterpret, mul byte) {
	x, half := l.Local(abi.I64, 1), l.Local(abi.I64, 2)
	l.tee(x)
	l.emit(format.OpI64Const, 63, format.OpI64ShrU)
	l.set(half)
	for _, op := range []byte{format.OpI64ShrU, format.OpI64And} {
		l.get(x)
		l.get(half)
		l.emit(op)
	}
	l.emit(format.OpI64Or, signed)
	l.get(half)
	bias, fraction := uint64(0x3ff), byte(52)
	if reinterpret == format.OpF32ReinterpI32 {
		bias, fraction = 0x7f, 23
	}
	l.code = format.AppendConst(l.code, abi.I64, bias)
	l.emit(format.OpI64Add, format.OpI64Const, fraction, format.OpI64Shl)
	if reinterpret == format.OpF32ReinterpI32 {
		l.emit(format.OpI32WrapI64)
	}
	l.emit(reinterpret, mul)
}
