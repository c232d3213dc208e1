package wasmbin

import "github.com/wasmoor/wasmoor/abi"

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
