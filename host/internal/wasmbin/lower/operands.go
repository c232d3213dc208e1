package lower

import (
	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/format"
)

// operands follows the types on the operand stack through a body. Of code that
// never runs, and of a body that the engine will refuse, some are unknown.
type operands struct {
	m      *wasmbin.Scan
	stack  []operand
	scopes []scope
	locals []operand // what each holds
	block  uint32    // straight code so far, by number
}

// operand is a value, of type 0 if that is unknown. and is the straight code in
// which an instruction "and" made it; see lowerCompare.
type operand struct {
	t   abi.Type
	and uint32
}

// scope is an open block, the first of them the function itself.
type scope struct {
	wasmbin.FuncType
	height int  // of the stack below it
	never  bool // it is in code that never runs
	dead   bool // what follows never runs
}

// start starts a body of a function of type t.
func (o *operands) start(m *wasmbin.Scan, t wasmbin.FuncType, locals []abi.Type) {
	o.m, o.block = m, 1
	o.stack = o.stack[:0]
	o.scopes = append(o.scopes[:0], scope{FuncType: wasmbin.FuncType{Results: t.Results}})
	o.locals = o.locals[:0]
	for _, list := range [][]abi.Type{t.Params, locals} {
		for _, t := range list {
			o.locals = append(o.locals, operand{t: t})
		}
	}
}

func (o *operands) scope() *scope { return &o.scopes[len(o.scopes)-1] }

// dead reports that what comes next never runs.
func (o *operands) dead() bool { return o.scope().dead }

// top returns the operand below so many others.
func (o *operands) top(below int) operand {
	if at := len(o.stack) - 1 - below; at >= o.scope().height {
		return o.stack[at]
	}
	return operand{}
}

func (o *operands) pop(n int) {
	o.stack = o.stack[:max(len(o.stack)-n, o.scope().height)]
}

func (o *operands) push(types ...abi.Type) {
	for _, t := range types {
		o.stack = append(o.stack, operand{t: t})
	}
}

func (o *operands) call(t wasmbin.FuncType) {
	o.pop(len(t.Params))
	o.push(t.Results...)
}

// apply follows an instruction of that signature.
func (o *operands) apply(s format.Signature) {
	o.pop(len(s.In))
	for _, c := range []byte(s.Out) {
		o.push(format.TypeOf[c])
	}
}

// of follows the instruction of that number in a table.
func (o *operands) of(table []format.Signature, op uint32) {
	if int64(op) < int64(len(table)) {
		o.apply(table[op])
	}
}

// step follows an instruction with these operands.
func (o *operands) step(op byte, r format.Reader) {
	switch {
	case op < format.OpDrop:
		o.control(op, r)
	case op == format.OpDrop:
		o.pop(1)
	case op == format.OpSelect:
		o.choose(o.selected())
	case op == format.OpSelectT:
		r.U32("the types")
		o.choose(abi.Type(r.Byte("a type")))
	case op < format.FirstPlain:
		o.access(op, r)
	case op <= format.LastPlain:
		o.apply(format.Plain[op-format.FirstPlain])
		if op == format.OpI32And || op == format.OpI64And {
			o.stack[len(o.stack)-1].and = o.block
		}
	case op == format.OpRefNull, op == format.OpRefFunc:
		o.push(format.FuncRef)
	case op == format.OpRefIsNull:
		o.apply(format.Signature{In: "r", Out: "i"})
	case op == format.OpMisc:
		o.of(format.Misc, r.U32("an instruction"))
	case op == format.OpVector:
		o.of(format.Vector, r.U32("an instruction"))
	}
}

// selected returns the type that an untyped select chooses from.
func (o *operands) selected() abi.Type {
	if t := o.top(1).t; t != 0 {
		return t
	}
	return o.top(2).t
}

func (o *operands) choose(t abi.Type) {
	o.pop(3)
	o.push(t)
}

// access follows what reads or writes a local, a global or a table.
func (o *operands) access(op byte, r format.Reader) {
	index := int64(r.U32("an index"))
	switch op {
	case format.OpGlobalGet:
		o.push(o.m.GlobalTypes[index])
	case format.OpTableGet:
		o.apply(format.Signature{In: "i", Out: "r"})
	case format.OpTableSet:
		o.pop(2)
	case format.OpGlobalSet:
		o.pop(1)
	default:
		o.local(op, index)
	}
}

func (o *operands) local(op byte, index int64) {
	if index >= int64(len(o.locals)) {
		return // the engine refuses it
	}
	local := &o.locals[index]
	if op != format.OpLocalGet {
		local.and = o.top(0).and
		o.pop(1)
	}
	if op != format.OpLocalSet {
		o.stack = append(o.stack, *local)
	}
}

// control follows where an instruction leads.
func (o *operands) control(op byte, r format.Reader) {
	switch op {
	case format.OpBlock, format.OpLoop, format.OpIf:
		o.open(op, o.m.BlockType(&r))
	case format.OpElse:
		o.block++
		o.pop(len(o.stack))
		o.scope().dead = o.scope().never
		o.push(o.scope().Params...)
	case format.OpEnd:
		o.block++
		o.pop(len(o.stack))
		results := o.scope().Results
		o.scopes = o.scopes[:len(o.scopes)-1]
		o.push(results...)
	case format.OpBrIf:
		o.block++
		o.pop(1)
	case format.OpBr, format.OpBrTable, format.OpReturn, format.OpTailCall, format.OpTailIndirect, format.OpUnreachable:
		o.pop(len(o.stack))
		o.scope().dead = true
	case format.OpCall:
		o.call(o.m.Callee(r.U32("a function")))
	case format.OpCallIndirect:
		o.pop(1)
		o.call(o.m.TypeAt(r.U32("a type")))
	}
}

// open opens a block, whose code is straight on from what is before it unless it
// is an if or a loop.
func (o *operands) open(op byte, t wasmbin.FuncType) {
	if op != format.OpBlock {
		o.block++
	}
	if op == format.OpIf {
		o.pop(1)
	}
	inner := scope{FuncType: t, height: len(o.stack) - len(t.Params), never: o.dead(), dead: o.dead()}
	if inner.height < o.scope().height {
		o.pop(len(t.Params))
		inner.height = len(o.stack)
		o.push(t.Params...)
	}
	o.scopes = append(o.scopes, inner)
}
