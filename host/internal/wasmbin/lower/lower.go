// Package lower writes out in other instructions what the engine's compiler gets
// wrong. Package rewrite imports it, and tests it with what comes out.
package lower

import (
	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/format"
)

// Machines for which wazero's compiler gets instructions wrong.
const (
	AMD64 = "amd64"
	ARM64 = "arm64"
)

// Lowering writes out in other instructions what wazero v1.12.0's compiler gets
// wrong: RATIONALE.md says what, and why. Its register allocator keeps a value on
// the stack as its last definition left it. Where the machine code of one
// instruction changes a register in place, or defines it twice, and takes another
// register before it is done, it may give that one away and read the old value
// back. So what is written here are instructions that take none in between.
type Lowering struct {
	Arch     string // whose compiler's faults are written out, or ""
	OldScans bool   // it has no instructions that count zeros of zero

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

// Start starts a body.
func (l *Lowering) Start(m *wasmbin.Scan, b wasmbin.Body) {
	l.first, l.count = uint32(len(b.Type.Params)+len(b.Locals)), 0
	l.added, l.code = l.added[:0], l.code[:0]
	l.types.start(m, b.Type, b.Locals)
}

// Local returns the index of the nth added local of type t.
func (l *Lowering) Local(t abi.Type, n int) uint32 {
	want := addedLocal{t, n}
	for i, have := range l.added {
		if have == want {
			return l.first + uint32(i)
		}
	}
	l.added = append(l.added, want)
	return l.first + uint32(len(l.added)-1)
}

// Added returns how many groups of locals a body gets.
func (l *Lowering) Added() int { return len(l.added) }

// AppendGroups appends these groups.
func (l *Lowering) AppendGroups(out []byte) []byte {
	for _, local := range l.added {
		out = append(out, 1, byte(local.t))
	}
	return out
}

// Step follows the instruction from start to where r is, and lowers it if it is one
// that the compiler gets wrong: to the code of that range, which is empty otherwise.
// Too many of them in a body are a failure of r.
func (l *Lowering) Step(r *format.Reader, start int) (from, to int) {
	op, operands, from := r.B[start], format.Reader{B: r.B, At: start + 1, End: r.At}, len(l.code)
	switch {
	case l.types.dead(): // never compiled
	case l.Arch == AMD64:
		l.lower(op, operands)
		l.compare(op)
		l.tail(op, operands)
	case l.Arch == ARM64:
		l.remainder(op)
		l.compare(op)
		l.tail(op, operands)
	}
	l.types.step(op, operands)
	if to = len(l.code); to > from {
		l.count++
	}
	if l.count > format.MaxLowered {
		r.Fail(start, "a function has more than %d instructions that are written out (selects of floats, copysign and others); split it", format.MaxLowered)
	}
	return from, to
}

// Code returns lowered code of the body, as Step gave its range.
func (l *Lowering) Code(from, to int) []byte { return l.code[from:to] }

// lower appends what an instruction becomes for amd64, if it is not to stay.
func (l *Lowering) lower(op byte, r format.Reader) {
	switch {
	case op == format.OpSelect:
		l.choose(l.types.selected())
	case op == format.OpSelectT:
		r.U32("the types")
		l.choose(abi.Type(r.Byte("a type")))
	case op == format.OpF32Copysign:
		l.copysign(abi.I32, format.OpI32ReinterpF32, format.OpF32ReinterpI32)
	case op == format.OpF64Copysign:
		l.copysign(abi.I64, format.OpI64ReinterpF64, format.OpF64ReinterpI64)
	case op == format.OpI32Clz, op == format.OpI32Ctz, op == format.OpI64Clz, op == format.OpI64Ctz:
		l.scan(op)
	case op == format.OpF32ConvertI64U:
		l.convert(format.OpF32ConvertI64S, format.OpF32ReinterpI32, format.OpF32Mul)
	case op == format.OpF64ConvertI64U:
		l.convert(format.OpF64ConvertI64S, format.OpF64ReinterpI64, format.OpF64Mul)
	case op == format.OpVector:
		at := r.At
		sub := r.U32("an instruction")
		l.compareLanes(sub)
		l.bytes(sub, format.Reader{B: r.B, At: r.At, End: r.End})
		l.vector(format.Reader{B: r.B, At: at, End: r.End})
	}
}

func (l *Lowering) emit(code ...byte) {
	l.code = append(l.code, code...)
}

func (l *Lowering) get(local uint32) {
	l.code = format.AppendU32(append(l.code, format.OpLocalGet), local)
}

func (l *Lowering) set(local uint32) {
	l.code = format.AppendU32(append(l.code, format.OpLocalSet), local)
}

func (l *Lowering) tee(local uint32) {
	l.code = format.AppendU32(append(l.code, format.OpLocalTee), local)
}

// vec appends instructions of 0xfd.
func (l *Lowering) vec(ops ...uint32) {
	for _, op := range ops {
		l.code = format.AppendU32(append(l.code, format.OpVector), op)
	}
}
