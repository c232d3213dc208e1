package lower

import (
	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/format"
)

// tailNumbers is how many integers and references a tail call through a table may
// pass on amd64. wazero keeps the address of the callee in r11, which is also where
// the seventh of them goes.
const tailNumbers = 6

// tail writes out a tail call that the compiler gets wrong as a call and a return:
// it does the same and keeps its frame. On amd64 that is one through a table with
// many parameters; on arm64 every one through a table, because wazero may keep the
// address of the callee in a register that the epilogue restores before the jump.
// One of an import, a function of the host's, has nothing to gain by its frame.
func (l *Lowering) tail(op byte, r format.Reader) {
	switch op {
	case format.OpTailCall:
		index := r.U32("a function")
		if int64(index) >= int64(l.types.m.ImportedFunctions) {
			return
		}
		l.code = format.AppendU32(append(l.code, format.OpCall), index)
	case format.OpTailIndirect:
		from := r.At
		if l.Arch == AMD64 && numbers(l.types.m.TypeAt(r.U32("a type")).Params) <= tailNumbers {
			return
		}
		l.code = append(append(l.code, format.OpCallIndirect), r.B[from:r.End]...)
	default:
		return
	}
	l.emit(format.OpReturn)
}

// numbers counts what goes into registers of integers.
func numbers(types []abi.Type) (n int) {
	for _, t := range types {
		if t != format.F32 && t != format.F64 && t != format.V128 {
			n++
		}
	}
	return n
}
