package rewrite

import (
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/format"
)

// program writes modules of functions that keep more values alive than a machine
// has registers, of all types and with every instruction that has one in its
// signature: what compilers go wrong in. They end, and seldom trap. Of floats
// that are not numbers, whose bits no specification settles, no bits reach
// integers, vectors or memory.
type program struct {
	*rand.Rand
	types   []string
	calls   []callee // the functions that this one may call
	locals  string   // types, the last four are scratch
	results string
	depth   int // of open blocks that may not be repeated
}

const (
	f32, f64, v128 = "\x7d", "\x7c", "\x7b"
	allTypes       = i32 + i64 + f32 + f64 + v128
	programPages   = 1
	perProgram     = 40 // functions
)

// callee is a function with the index of its type.
type callee struct {
	typ             uint32
	params, results string
}

// producer is an instruction that leaves one value.
type producer struct {
	in   string
	code func(p *program) string
	nan  string // the instruction that compares what it leaves with itself, if that may be no number
}

// producers are the instructions by what they leave.
var producers = allProducers()

func valueTypesOf(letters string) string {
	var s string
	for _, c := range []byte(letters) {
		s += string(byte(format.TypeOf[c]))
	}
	return s
}

func allProducers() map[string][]producer {
	all := map[string][]producer{}
	add := func(s format.Signature, often int, p producer) {
		if p.in = valueTypesOf(s.In); len(s.Out) == 1 && s.Out != "r" && !strings.Contains(s.In, "r") {
			out := valueTypesOf(s.Out)
			all[out] = append(all[out], slices.Repeat([]producer{p}, often)...)
		}
	}
	for i, s := range format.Plain {
		if op := byte(format.FirstPlain + i); op >= format.OpI32Eqz {
			add(s, 1, producer{code: func(*program) string { return string([]byte{op}) }})
		}
	}
	for i, s := range format.Misc[:8] {
		add(s, 1, producer{code: func(*program) string { return "\xfc" + string(byte(i)) }})
	}
	for i, s := range format.Vector {
		if op := uint32(i); !slices.Contains(noVectors, op) && !accessesMemory(op) && op != 12 {
			add(s, 1, producer{code: func(p *program) string { return "\xfd" + u(op) + p.immediate(op) }, nan: noNumber(op)})
		}
	}
	suspects(add)
	return all
}

// suspects has the compiler's weak spots come often.
func suspects(add func(format.Signature, int, producer)) {
	plainly := func(code string) func(*program) string { return func(*program) string { return code } }
	for _, t := range "ilfdv" {
		s := string(t)
		add(format.Signature{In: s + s + "i", Out: s}, 4, producer{code: plainly("\x1b")})
		add(format.Signature{In: s + s + "i", Out: s}, 4, producer{code: plainly("\x1c\x01" + valueTypesOf(s))})
	}
	add(format.Signature{In: "ff", Out: "f"}, 6, producer{code: plainly("\x98")})
	add(format.Signature{In: "dd", Out: "d"}, 6, producer{code: plainly("\xa6")})
	add(format.Signature{In: "l", Out: "f"}, 3, producer{code: plainly("\xb5")})
	add(format.Signature{In: "l", Out: "d"}, 3, producer{code: plainly("\xba")})
	for _, op := range []uint32{format.VecBitselect, format.VecPopcnt, format.VecMulI64, 220, 221, 222, 223, format.VecF32Min, format.VecF32Max, format.VecF64Min, format.VecF64Max} {
		add(format.Vector[op], 8, producer{code: plainly("\xfd" + u(op)), nan: noNumber(op)})
	}
	add(format.Vector[format.VecReplaceF64], 8, producer{code: plainly("\xfd\x22\x00")})
}

// noVectors are the numbers of 0xfd that no instruction has.
var noVectors = []uint32{154, 162, 165, 166, 175, 176, 178, 179, 180, 187, 194, 197, 198, 207, 208, 210, 211, 212, 226, 238}

func accessesMemory(op uint32) bool { return op <= 11 || op >= 84 && op <= 93 }

// noNumber returns the comparison with itself of what an instruction on lanes
// leaves that may be no numbers.
func noNumber(op uint32) string {
	switch {
	case op >= 103 && op <= 106, op == 94, op >= 227 && op <= 235:
		return "\xfd\x41" // f32x4.eq
	case op == 116, op == 117, op == 122, op == 148, op == 95, op >= 239 && op <= 247:
		return "\xfd\x47" // f64x2.eq
	}
	return ""
}

// immediate returns the lanes that follow an instruction.
func (p *program) immediate(op uint32) string {
	lane := func(n int) string { return string(byte(p.IntN(n))) }
	switch {
	case op == 13:
		var s string
		for range 16 {
			s += lane(32)
		}
		return s
	case op >= 21 && op <= 23:
		return lane(16)
	case op >= 24 && op <= 26:
		return lane(8)
	case op == 27 || op == 28 || op == 31 || op == 32:
		return lane(4)
	case op == 29 || op == 30 || op == 33 || op == 34:
		return lane(2)
	}
	return ""
}

// randomProgram returns the module of a seed, and how many functions it has.
func randomProgram(seed uint64) []byte {
	p := &program{Rand: rand.New(rand.NewPCG(seed, 3))}
	p.types = []string{funcType("", "")}
	var funcs, exports, elements, bodies, globals []string
	for i := range perProgram {
		t := [2]string{p.some(6), p.some(4)}
		if i > 0 && p.IntN(2) == 0 { // for tail calls
			t = [2]string{p.some(6 + p.IntN(8)), p.calls[p.IntN(len(p.calls))].results}
		}
		typ := uint32(len(p.types))
		funcs = append(funcs, u(typ))
		p.types = append(p.types, funcType(t[0], t[1]))
		exports = append(exports, text(functionName(i))+"\x00"+u(uint32(i)))
		elements = append(elements, u(uint32(i)))
		bodies = append(bodies, p.function(t[0], t[1], i))
		p.calls = append(p.calls, callee{typ, t[0], t[1]})
	}
	for i, t := range []byte(allTypes) {
		mutable := "\x01"
		if string(t) == v128 {
			mutable = "\x00" // or no snapshot could be taken
		}
		globals = append(globals, string(t)+mutable+p.constant(string(t))+"\x0b")
		if i < 4 {
			exports = append(exports, text("g"+string(rune('a'+i)))+"\x03"+u(uint32(i)))
		}
	}
	exports = append(exports, text("memory")+"\x02\x00")
	var data strings.Builder
	for range wasmbin.PageSize / 64 {
		data.WriteString(p.constant(f64)[1:])
	}
	return []byte(header + section(format.IDType, vec(p.types...)) + section(format.IDFunction, vec(funcs...)) +
		section(format.IDTable, vec("\x70\x00"+u(uint32(len(funcs)+2)))) +
		section(format.IDMemory, vec("\x01"+u(programPages, programPages))) +
		section(format.IDGlobal, vec(globals...)) + section(format.IDExport, vec(exports...)) +
		section(format.IDElement, vec("\x00"+zero+vec(elements...))) +
		section(format.IDCode, vec(bodies...)) +
		section(format.IDData, vec("\x00"+zero+text(data.String()))))
}

func functionName(i int) string { return "f" + string(rune('a'+i/26)) + string(rune('a'+i%26)) }

// some returns at most n types.
func (p *program) some(n int) string {
	var s string
	for range p.IntN(n + 1) {
		s += p.typ()
	}
	return s
}

func (p *program) typ() string {
	i := p.IntN(len(allTypes))
	return allTypes[i : i+1]
}

func (p *program) constant(t string) string {
	switch {
	case t == v128:
		return "\xfd\x0c" + string(format.AppendConst(nil, format.F64, p.bits())[1:]) + string(format.AppendConst(nil, format.F64, p.bits())[1:])
	case p.IntN(4) == 0:
		return string(format.AppendConst(nil, numberType(t), uint64(p.IntN(6)-2)))
	case t == f64 && p.IntN(2) == 0:
		return string(format.AppendConst(nil, format.F64, floatBits(p.NormFloat64())))
	}
	return string(format.AppendConst(nil, numberType(t), p.bits()))
}

func (p *program) bits() uint64 {
	switch p.IntN(6) {
	case 0:
		return floatBits(p.NormFloat64() * 1000)
	case 1:
		return floatBits(float64(p.IntN(64)) - 3)
	case 2:
		return 1 << p.IntN(64)
	case 3:
		return uint64(p.IntN(5)) - 2
	}
	return p.Uint64() >> p.IntN(64)
}

// function writes a body. The nth function calls what is a third of the way
// below it, so that calls are three deep at most.
func (p *program) function(params, results string, n int) string {
	own := p.crowd()
	p.locals, p.results, p.depth = params+own+allTypes, results, 0
	calls := p.calls
	p.calls = calls[:n/14*14*min(n/14, 1)]
	defer func() { p.calls = calls }()
	var groups []string
	for _, t := range []byte(own + allTypes) {
		groups = append(groups, "\x01"+string(t))
	}
	var code string
	for i := range len(own) {
		if t := own[i : i+1]; p.IntN(8) > 0 {
			code += p.value(t, 1) + "\x21" + u(uint32(len(params)+i))
		}
	}
	for range 4 + p.IntN(20) {
		code += p.statement(3)
	}
	code += p.dump(n)
	return withLocals(vec(groups...), code+p.end(2))
}

// end leaves the function's results, or has another function leave them.
func (p *program) end(depth int) string {
	if p.IntN(3) == 0 {
		return p.values(p.results, depth)
	}
	for range 16 {
		if len(p.calls) == 0 {
			break
		}
		at := p.IntN(len(p.calls))
		if p.calls[at].results != p.results {
			continue
		}
		s := p.values(p.calls[at].params, depth)
		if p.IntN(2) == 0 {
			return s + "\x12" + u(uint32(at))
		}
		return s + constI32(int32(at)) + "\x13" + u(p.calls[at].typ, 0)
	}
	return p.values(p.results, depth)
}

// crowd returns the types of a function's locals: many of one kind, or of all.
func (p *program) crowd() string {
	n := 4 + p.IntN(24)
	var s string
	most := p.typ()
	for range n {
		if p.IntN(3) > 0 {
			s += most
		} else {
			s += p.typ()
		}
	}
	return s
}

// dump writes the locals to memory.
func (p *program) dump(n int) string {
	var s string
	for i := range len(p.locals) - len(allTypes) {
		s += p.store(constI32(int32(n*1024+i*16)), p.locals[i:i+1], "\x20"+u(uint32(i)), 0)
	}
	return s
}

// scratch is the local of a type that nothing else uses.
func (p *program) scratch(t string) string {
	return u(uint32(len(p.locals) - len(allTypes) + strings.Index(allTypes, t)))
}

// number returns a float as it is, or zero if it is none, as its bits go where
// they matter.
func (p *program) number(t, value string) string {
	s := p.scratch(t)
	switch t {
	case f32:
		return value + "\x22" + s + "\xbc\x41\x00\x20" + s + "\x20" + s + "\x5b\x6b\x71\xbe"
	case f64:
		return value + "\x22" + s + "\xbd\x42\x00\x20" + s + "\x20" + s + "\x61\xad\x7d\x83\xbf"
	}
	return value
}

func (p *program) store(address, t, value string, offset uint32) string {
	ops := map[string]string{i32: "\x36\x00", i64: "\x37\x00", f32: "\x38\x00", f64: "\x39\x00", v128: "\xfd\x0b\x00"}
	return address + p.number(t, value) + ops[t] + u(offset)
}

func (p *program) address() string {
	if p.IntN(200) == 0 {
		return p.value(i32, 1)
	}
	if p.IntN(2) == 0 {
		return constI32(int32(p.IntN(wasmbin.PageSize * programPages / 2)))
	}
	return p.value(i32, 1) + constI32(0x7fff) + "\x71"
}

func (p *program) values(types string, depth int) string {
	var s string
	for _, t := range []byte(types) {
		s += p.value(string(t), depth)
	}
	return s
}

// value pushes a value of a type.
func (p *program) value(t string, depth int) string {
	if depth <= 0 {
		return p.leaf(t)
	}
	switch p.IntN(12) {
	case 0, 1:
		return p.leaf(t)
	case 2:
		return p.load(t)
	case 3:
		if s, ok := p.call(t, depth); ok {
			return s
		}
	case 4:
		if depth > 1 {
			return p.block(t, depth-1)
		}
	}
	list := producers[t]
	one := list[p.IntN(len(list))]
	code := one.code(p)
	args := p.arguments(one.in, code, depth-1)
	if one.nan != "" {
		s := p.scratch(v128)
		return args + code + "\x22" + s + "\x20" + s + "\x20" + s + one.nan + "\xfd\x4e"
	}
	return args + code
}

// arguments pushes what an instruction takes, with care for those that leak bits
// and, mostly, for those that trap.
func (p *program) arguments(in, code string, depth int) string {
	op := code[0]
	leaks := op == 0xbc || op == 0xbd || op == 0xfd
	var s string
	for i := range len(in) {
		t := in[i : i+1]
		v := p.value(t, depth)
		if leaks || (op == 0x98 || op == 0xa6) && i == 1 {
			v = p.number(t, v)
		}
		s += v
	}
	if p.IntN(40) == 0 {
		return s
	}
	switch {
	case op >= 0x6d && op <= 0x70: // not by zero or -1
		return s + constI32(0x7fff) + "\x71" + constI32(1) + "\x72"
	case op >= 0x7f && op <= 0x82:
		return s + "\x42\xff\x07\x83\x42\x01\x84"
	case op == 0xa8 || op == 0xa9 || op == 0xae || op == 0xaf:
		return p.small(s, f32)
	case op == 0xaa || op == 0xab || op == 0xb0 || op == 0xb1:
		return p.small(s, f64)
	}
	return s
}

// small makes a float one that fits any integer.
func (p *program) small(value, t string) string {
	if t == f32 {
		return p.number(t, value) + "\x8b" + string(format.AppendConst(nil, format.F32, 0x4e000000)) + "\x96"
	}
	return p.number(t, value) + "\x99" + string(format.AppendConst(nil, format.F64, floatBits(2e9))) + "\xa4"
}

// leaf is a constant, a local or a global.
func (p *program) leaf(t string) string {
	var found []int
	for i := range len(p.locals) - len(allTypes) {
		if p.locals[i:i+1] == t {
			found = append(found, i)
		}
	}
	switch {
	case len(found) > 0 && p.IntN(8) > 0:
		return "\x20" + u(uint32(found[p.IntN(len(found))]))
	case p.IntN(3) == 0:
		return "\x23" + u(uint32(strings.Index(allTypes, t)))
	}
	return p.constant(t)
}

var programLoads = map[string][]string{
	i32: {"\x28", "\x2c", "\x2d", "\x2e", "\x2f"}, i64: {"\x29", "\x30", "\x31", "\x32", "\x33", "\x34", "\x35"}, f32: {"\x2a"}, f64: {"\x2b"},
}

func (p *program) load(t string) string {
	at := p.address()
	if t != v128 {
		ops := programLoads[t]
		return at + ops[p.IntN(len(ops))] + "\x00" + u(uint32(p.IntN(99)))
	}
	op := []uint32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 92, 93, 84, 85, 86, 87}[p.IntN(17)]
	if op < 84 || op > 87 {
		return at + "\xfd" + u(op) + "\x00" + u(uint32(p.IntN(99)))
	}
	lane := string(byte(p.IntN(16 >> (op - 84))))
	return at + p.value(v128, 1) + "\xfd" + u(op) + "\x00" + u(uint32(p.IntN(99))) + lane
}

// call calls a function below that leaves the type last, directly or by table.
func (p *program) call(t string, depth int) (string, bool) {
	if len(p.calls) == 0 {
		return "", false
	}
	at := p.IntN(len(p.calls))
	params, results := p.calls[at].params, p.calls[at].results
	if !strings.HasSuffix(results, t) {
		return "", false
	}
	s := p.values(params, min(depth-1, 1))
	if p.IntN(2) == 0 {
		s += "\x10" + u(uint32(at))
	} else {
		to := at
		if p.IntN(60) == 0 {
			to = p.IntN(perProgram + 3)
			if to < perProgram && to >= len(p.calls) {
				to = at
			}
		}
		s += constI32(int32(to)) + "\x11" + u(p.calls[at].typ, 0)
	}
	var rest string
	for i := len(results) - 2; i >= 0; i-- {
		rest += p.take(results[i : i+1])
	}
	if rest == "" {
		return s, true
	}
	return s + "\x21" + p.scratch(t) + rest + "\x20" + p.scratch(t), true
}

// take sets a local to what is on the stack, or drops it.
func (p *program) take(t string) string {
	for range 8 {
		if i := p.IntN(len(p.locals) - len(allTypes) + 1); i < len(p.locals)-len(allTypes) && p.locals[i:i+1] == t {
			return "\x21" + u(uint32(i))
		}
	}
	return "\x1a"
}

// block is a block, an if or a loop that takes values and leaves one.
func (p *program) block(t string, depth int) string {
	p.depth++
	defer func() { p.depth-- }()
	in := p.some(3)
	p.types = append(p.types, funcType(in, t))
	typ := string(format.AppendSigned(nil, int64(len(p.types)-1)))
	s := p.values(in, depth-1)
	var drop string
	for i := len(in) - 1; i >= 0; i-- {
		drop += p.take(in[i : i+1])
	}
	switch p.IntN(3) {
	case 0:
		early := ""
		if p.IntN(2) == 0 {
			early = p.value(t, depth-1) + p.value(i32, 1) + "\x0d\x00" + p.take(t)
		}
		return s + "\x02" + typ + drop + early + p.statement(depth-1) + p.value(t, depth-1) + "\x0b"
	case 1:
		return s + p.value(i32, depth-1) + "\x04" + typ + drop + p.value(t, depth-1) + "\x05" + drop + p.statement(depth-1) + p.value(t, depth-1) + "\x0b"
	default: // a table of blocks that each leave one
		p.types = append(p.types, funcType("", t))
		one := string(format.AppendSigned(nil, int64(len(p.types)-1)))
		n := 2 + p.IntN(3)
		s = strings.Repeat("\x02"+one, n) + p.value(t, depth-1) + p.value(i32, 1) + "\x0e" + u(uint32(n))
		for range n + 1 {
			s += u(uint32(p.IntN(n)))
		}
		for range n {
			s += "\x0b" + p.take(t) + p.statement(depth-1) + p.value(t, 1)
		}
		return s
	}
}

// statement leaves the stack as it was.
func (p *program) statement(depth int) string {
	if depth <= 0 {
		return p.assign(1)
	}
	switch p.IntN(16) {
	case 0, 1:
		t := p.typ()
		return p.store(p.address(), t, p.value(t, depth), uint32(p.IntN(99)))
	case 2:
		return p.narrow(depth)
	case 3:
		return p.value(i32, depth) + "\x04\x40" + p.statement(depth-1) + "\x05" + p.statement(depth-1) + "\x0b"
	case 4:
		if p.depth < 2 {
			return p.loop(depth)
		}
	case 5:
		return "\x02\x40" + p.statement(depth-1) + p.value(i32, depth-1) + "\x0d\x00" + p.statement(depth-1) + p.statement(depth-1) + "\x0b"
	case 6:
		i := p.IntN(len(allTypes) - 1)
		t := allTypes[i : i+1]
		return p.number(t, p.value(t, depth)) + "\x24" + u(uint32(i))
	case 7:
		if p.IntN(4) == 0 {
			return p.bulk()
		}
	case 8:
		if p.IntN(8) == 0 {
			return p.value(i32, 1) + "\x04\x40" + p.end(1) + "\x0f\x0b"
		}
	}
	return p.assign(depth)
}

// narrow stores a part of a number or of a vector.
func (p *program) narrow(depth int) string {
	at, offset := p.address(), u(uint32(p.IntN(99)))
	switch p.IntN(3) {
	case 0:
		return at + p.value(i32, depth) + []string{"\x3a", "\x3b"}[p.IntN(2)] + "\x00" + offset
	case 1:
		return at + p.value(i64, depth) + []string{"\x3c", "\x3d", "\x3e"}[p.IntN(3)] + "\x00" + offset
	default:
		op := p.IntN(4)
		return at + p.value(v128, depth) + "\xfd" + u(uint32(88+op)) + "\x00" + offset + string(byte(p.IntN(16>>op)))
	}
}

func (p *program) assign(depth int) string {
	i := p.IntN(len(p.locals) - len(allTypes))
	return p.value(p.locals[i:i+1], depth) + "\x21" + u(uint32(i))
}

// loop runs something a few times, with a count and a value that are carried
// round on the stack.
func (p *program) loop(depth int) string {
	p.depth++
	defer func() { p.depth-- }()
	t := p.typ()
	p.types = append(p.types, funcType(i32+t, t))
	typ := string(format.AppendSigned(nil, int64(len(p.types)-1)))
	count, carried := p.scratch(i32), p.scratch(t)
	s := constI32(int32(1+p.IntN(3))) + p.value(t, 1) + "\x03" + typ + p.statement(depth-1)
	s += p.value(t, depth-1) + p.value(i32, 1) + "\x1c\x01" + t + p.statement(depth-1)
	if t == i32 {
		return s + "\x21" + count + "\x1a\x20" + count + "\x0b" + p.take(t)
	}
	s += "\x21" + carried + "\x41\x01\x6b\x22" + count + "\x20" + carried + "\x20" + count + "\x0d\x00"
	return s + "\x21" + carried + "\x1a\x20" + carried + "\x0b" + p.take(t)
}

func (p *program) bulk() string {
	size := constI32(int32(p.IntN(600)))
	if p.IntN(2) == 0 {
		return p.address() + p.value(i32, 1) + size + "\xfc\x0b\x00"
	}
	return p.address() + p.address() + size + "\xfc\x0a\x00\x00"
}
