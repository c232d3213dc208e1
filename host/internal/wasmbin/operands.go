package wasmbin

import "github.com/wasmoor/wasmoor/abi"

// operands follows the types on the operand stack through a body. Of code that
// never runs, and of a body that the engine will refuse, some are unknown.
type operands struct {
	m      *Module
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
	FuncType
	height int  // of the stack below it
	never  bool // it is in code that never runs
	dead   bool // what follows never runs
}

// start starts a body of a function of type t.
func (o *operands) start(m *Module, t FuncType, locals []abi.Type) {
	o.m, o.block = m, 1
	o.stack = o.stack[:0]
	o.scopes = append(o.scopes[:0], scope{FuncType: FuncType{Results: t.Results}})
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

func (o *operands) call(t FuncType) {
	o.pop(len(t.Params))
	o.push(t.Results...)
}

// apply follows an instruction of that signature.
func (o *operands) apply(s signature) {
	o.pop(len(s.in))
	for _, c := range []byte(s.out) {
		o.push(typeOf[c])
	}
}

// of follows the instruction of that number in a table.
func (o *operands) of(table []signature, op uint32) {
	if int64(op) < int64(len(table)) {
		o.apply(table[op])
	}
}

// step follows an instruction with these operands.
func (o *operands) step(op byte, r reader) {
	switch {
	case op < opDrop:
		o.control(op, r)
	case op == opDrop:
		o.pop(1)
	case op == opSelect:
		o.choose(o.selected())
	case op == opSelectT:
		r.u32("the types")
		o.choose(abi.Type(r.byte("a type")))
	case op < firstPlain:
		o.access(op, r)
	case op <= lastPlain:
		o.apply(plain[op-firstPlain])
		if op == opI32And || op == opI64And {
			o.stack[len(o.stack)-1].and = o.block
		}
	case op == opRefNull, op == opRefFunc:
		o.push(funcRef)
	case op == opRefIsNull:
		o.apply(signature{"r", "i"})
	case op == opMisc:
		o.of(misc, r.u32("an instruction"))
	case op == opVector:
		o.of(vector, r.u32("an instruction"))
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
func (o *operands) access(op byte, r reader) {
	index := int64(r.u32("an index"))
	switch op {
	case opGlobalGet:
		o.push(o.m.global[index])
	case opTableGet:
		o.apply(signature{"i", "r"})
	case opTableSet:
		o.pop(2)
	case opGlobalSet:
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
	if op != opLocalGet {
		local.and = o.top(0).and
		o.pop(1)
	}
	if op != opLocalSet {
		o.stack = append(o.stack, *local)
	}
}

// control follows where an instruction leads.
func (o *operands) control(op byte, r reader) {
	switch op {
	case opBlock, opLoop, opIf:
		o.open(op, o.m.blockType(&r))
	case opElse:
		o.block++
		o.pop(len(o.stack))
		o.scope().dead = o.scope().never
		o.push(o.scope().Params...)
	case opEnd:
		o.block++
		o.pop(len(o.stack))
		results := o.scope().Results
		o.scopes = o.scopes[:len(o.scopes)-1]
		o.push(results...)
	case opBrIf:
		o.block++
		o.pop(1)
	case opBr, opBrTable, opReturn, opUnreachable:
		o.pop(len(o.stack))
		o.scope().dead = true
	case opCall:
		o.call(o.m.callee(r.u32("a function")))
	case opCallIndirect:
		o.pop(1)
		o.call(o.m.typeAt(r.u32("a type")))
	}
}

// open opens a block, whose code is straight on from what is before it unless it
// is an if or a loop.
func (o *operands) open(op byte, t FuncType) {
	if op != opBlock {
		o.block++
	}
	if op == opIf {
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
