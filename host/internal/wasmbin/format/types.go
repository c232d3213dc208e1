package format

import (
	"strings"

	"github.com/wasmoor/wasmoor/abi"
)

// TypeNames lists types, separated by commas.
func TypeNames(types []abi.Type) string {
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = TypeName(t)
	}
	return strings.Join(names, ", ")
}

// TypeName returns the name of a value type of WebAssembly 2.0, or "".
func TypeName(t abi.Type) string {
	switch t {
	case abi.I32:
		return "i32"
	case abi.I64:
		return "i64"
	case F32:
		return "f32"
	case F64:
		return "f64"
	case V128:
		return "v128"
	case FuncRef:
		return "funcref"
	case ExternRef:
		return "externref"
	}
	return ""
}

// Value types, in addition to those of abi.
const (
	F32       abi.Type = 0x7d
	F64       abi.Type = 0x7c
	V128      abi.Type = 0x7b
	FuncRef   abi.Type = 0x70
	ExternRef abi.Type = 0x6f
)

// Limits is the size of a memory in pages, or of a table in elements.
type Limits struct {
	Min    uint32
	Max    uint32 // if HasMax
	HasMax bool
}

// ValueTypes reads a list of value types.
func (r *Reader) ValueTypes(what string) []abi.Type {
	types := make([]abi.Type, r.Count(what, 1, MaxParams))
	for i := range types {
		types[i] = r.ValueType()
	}
	return types
}

// ValueType reads a value type of WebAssembly 2.0.
func (r *Reader) ValueType() abi.Type {
	start := r.At
	t := abi.Type(r.Byte("a value type"))
	if TypeName(t) == "" {
		r.refuseValueType(start, byte(t))
	}
	return t
}

// RefType passes the type of a reference.
func (r *Reader) RefType() {
	start := r.At
	switch t := abi.Type(r.Byte("a reference type")); {
	case t == FuncRef || t == ExternRef:
	case TypeName(t) != "":
		r.Fail(start, "%s is not a reference type", TypeName(t))
	default:
		r.refuseValueType(start, byte(t))
	}
}

// Index reads an index below n.
func (r *Reader) Index(what string, n int) uint32 {
	start := r.At
	index := r.U32(what)
	if r.Err == nil && int64(index) >= int64(n) {
		r.Fail(start, "%s is %d, and there are %d", what, index, n)
	}
	return index
}

// Table reads the type of a table.
func (r *Reader) Table() Limits {
	r.RefType()
	start := r.At
	l := r.Limits("a table")
	if l.Min > MaxTable {
		r.Fail(start, "a table of %d elements is over the limit of %d", l.Min, MaxTable)
	}
	return l
}

// Memory reads the type of a memory.
func (r *Reader) Memory() Limits {
	start := r.At
	l := r.Limits("a memory")
	if l.Min > MaxPages || l.HasMax && l.Max > MaxPages {
		r.Fail(start, "a memory has at most %d pages", MaxPages)
	}
	return l
}

// Limits reads limits; what is what has them.
func (r *Reader) Limits(what string) (l Limits) {
	start := r.At
	switch flags := r.Byte(what); {
	case flags > 1:
		r.refuseLimits(start, what, flags)
	case flags == 1:
		l = Limits{Min: r.U32("a minimum"), Max: r.U32("a maximum"), HasMax: true}
	default:
		l = Limits{Min: r.U32("a minimum")}
	}
	if l.HasMax && l.Max < l.Min && r.Err == nil {
		r.Fail(start, "%s has the maximum %d below its minimum %d", what, l.Max, l.Min)
	}
	return l
}

// GlobalType reads the type of a global.
func (r *Reader) GlobalType() (t abi.Type, mutable bool) {
	t = r.ValueType()
	start := r.At
	flag := r.Byte("a global's type")
	if flag > 1 {
		r.Fail(start, "a global is mutable (1) or not (0), not %d", flag)
	}
	return t, flag == 1
}

// SkipIndexes passes n indexes.
func (r *Reader) SkipIndexes(n int) {
	for range n {
		r.U32("an index")
	}
}
