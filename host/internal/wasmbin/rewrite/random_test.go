package rewrite

import (
	"math/rand/v2"
	"strings"

	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/format"
)

// Parts of every random module.
const (
	randomPages  = 20 // more than a piece of a bulk operation
	budgetGlobal = 0  // what ends the module's own loops and recursion
	budget       = 500
)

var numbers = []string{i32, i64, "\x7d", "\x7c"}

// generator writes random modules that are valid, do something, and end.
type generator struct {
	*rand.Rand
	types   [][2]string // parameters, results
	funcs   []int       // the type of each
	globals []string    // types, all mutable
	locals  string      // of the function being written
	result  string
	small   bool     // it calls nothing
	blocks  []string // result types of the open blocks, "loop" for loops
}

// randomModule returns the module of a seed.
func randomModule(seed uint64) []byte {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 1))}
	g.types = [][2]string{{"", ""}}
	for range 2 + g.IntN(3) {
		g.types = append(g.types, [2]string{g.some(3), g.some(1)})
	}
	for range 3 + g.IntN(4) {
		g.funcs = append(g.funcs, g.IntN(len(g.types)))
	}
	g.funcs = append(g.funcs, 0) // the start function
	g.globals = []string{i32}
	for range 2 + g.IntN(4) {
		g.globals = append(g.globals, g.number())
	}
	var types, funcs, globals, exports, elements, bodies []string
	for _, t := range g.types {
		types = append(types, funcType(t[0], t[1]))
	}
	for i, t := range g.funcs {
		funcs = append(funcs, u(uint32(t)))
		exports = append(exports, text("f"+string(rune('a'+i)))+"\x00"+u(uint32(i)))
		elements = append(elements, u(uint32(i)))
		bodies = append(bodies, g.function(g.types[t]))
	}
	for i, t := range g.globals {
		init := g.constant(t)
		if i == budgetGlobal {
			init = constI32(budget)
		}
		globals = append(globals, t+"\x01"+init+"\x0b")
		exports = append(exports, text("g"+string(rune('a'+i)))+"\x03"+u(uint32(i)))
	}
	exports = append(exports, text("memory")+"\x02\x00")
	return []byte(header + section(format.IDType, vec(types...)) + section(format.IDFunction, vec(funcs...)) +
		section(format.IDTable, vec("\x70\x00"+u(uint32(len(funcs)+2)))) +
		section(format.IDMemory, vec("\x01"+u(randomPages, randomPages+2))) +
		section(format.IDGlobal, vec(globals...)) + section(format.IDExport, vec(exports...)) +
		section(format.IDStart, u(uint32(len(funcs)-1))) +
		section(format.IDElement, vec("\x00"+zero+vec(elements...))) + section(format.IDDataCount, u(2)) +
		section(format.IDCode, vec(bodies...)) +
		section(format.IDData, vec("\x00"+zero+text("some bytes at the start"), "\x01"+text(strings.Repeat("passive", 9)))))
}

func (g *generator) number() string { return numbers[g.IntN(len(numbers))] }

// some returns at most n types.
func (g *generator) some(n int) string {
	var s string
	for range g.IntN(n + 1) {
		s += g.number()
	}
	return s
}

func constI32(v int32) string { return string(format.AppendI32(nil, v)) }

func (g *generator) constant(t string) string {
	bits := g.Uint64() >> g.IntN(64)
	if g.IntN(3) == 0 {
		bits = uint64(g.IntN(8)) - 2
	}
	return string(format.AppendConst(nil, numberType(t), bits))
}

// spend takes one off the budget and traps when nothing is left.
func spend() string {
	return "\x23\x00\x45\x04\x40\x00\x0b\x23\x00\x41\x01\x6b\x24\x00"
}

func (g *generator) function(t [2]string) string {
	extra := g.some(4) + i32 // the last one is for dispatch
	g.locals, g.result, g.blocks = t[0]+extra, t[1], nil
	groups := make([]string, 0, len(extra))
	for _, l := range []byte(extra) {
		groups = append(groups, "\x01"+string(l))
	}
	var code string
	if g.small = g.IntN(3) == 0; !g.small {
		code = spend() + g.statements(3)
	}
	if g.result != "" {
		code += g.value(g.result, 3)
	}
	return withLocals(vec(groups...), code)
}

func (g *generator) statements(depth int) string {
	var s string
	for range 1 + g.IntN(4) {
		s += g.statement(depth)
	}
	return s
}

// statement leaves the stack as it was.
func (g *generator) statement(depth int) string {
	if depth == 0 {
		return g.assignment(1)
	}
	switch g.IntN(14) {
	case 0, 1:
		return "\x02\x40" + g.within("", func() string { return g.statements(depth - 1) }) + "\x0b"
	case 2, 3:
		return g.loop(depth)
	case 4:
		return g.value(i32, depth) + g.ifElse("", depth)
	case 5:
		return g.branch(depth)
	case 6:
		return g.bulk(depth)
	case 7:
		return g.dispatch(depth)
	case 8:
		t := g.IntN(len(g.types))
		return g.call(t, depth) + strings.Repeat("\x1a", len(g.types[t][1]))
	case 9:
		return g.value(g.number(), depth) + "\x1a"
	default:
		return g.assignment(depth)
	}
}

func (g *generator) assignment(depth int) string {
	switch i := g.IntN(len(g.locals) + len(g.globals) + 4); {
	case i < len(g.locals):
		return g.value(g.locals[i:i+1], depth) + "\x21" + u(uint32(i))
	case i < len(g.locals)+len(g.globals):
		if i -= len(g.locals); i == budgetGlobal {
			return ""
		}
		return g.value(g.globals[i], depth) + "\x24" + u(uint32(i))
	default:
		t := g.IntN(4)
		return g.address(depth) + g.value(numbers[t], depth) + string([]byte{byte(0x36 + t), 0}) + u(uint32(g.IntN(99)))
	}
}

func (g *generator) address(depth int) string {
	if g.IntN(6) == 0 {
		return g.value(i32, depth)
	}
	return g.value(i32, depth) + constI32(0xffff) + "\x71"
}

// within writes something in a block that branches may leave.
func (g *generator) within(kind string, write func() string) string {
	g.blocks = append(g.blocks, kind)
	defer func() { g.blocks = g.blocks[:len(g.blocks)-1] }()
	return write()
}

func (g *generator) loop(depth int) string {
	return "\x03\x40" + g.within("loop", func() string {
		s := spend() + g.statements(depth-1)
		if g.IntN(4) > 0 {
			s += g.value(i32, depth-1) + "\x0d\x00"
		}
		return s
	}) + "\x0b"
}

func (g *generator) ifElse(result string, depth int) string {
	t := result
	if t == "" {
		t = "\x40"
	}
	branch := func() string {
		if result == "" {
			return g.statements(depth - 1)
		}
		return g.value(result, depth-1)
	}
	return "\x04" + t + g.within(result, func() string {
		s := branch()
		if result != "" || g.IntN(2) == 0 {
			s += "\x05" + branch()
		}
		return s
	}) + "\x0b"
}

// branch leaves blocks, with a value for those that have one.
func (g *generator) branch(depth int) string {
	if len(g.blocks) == 0 {
		return g.value(i32, depth) + "\x04\x40" + g.values(g.result, depth-1) + "\x0f\x0b"
	}
	to := g.IntN(len(g.blocks))
	kind := g.blocks[len(g.blocks)-1-to]
	if kind == "loop" {
		return g.value(i32, depth) + "\x04\x40" + spend() + "\x0c" + u(uint32(to+1)) + "\x0b"
	}
	if kind != "" {
		return g.value(kind, depth) + g.value(i32, depth) + "\x0d" + u(uint32(to)) + "\x1a"
	}
	if g.IntN(2) == 0 {
		return g.value(i32, depth) + "\x0d" + u(uint32(to))
	}
	return "\x02\x40\x02\x40" + g.value(i32, depth) + "\x0e\x02\x00" + u(uint32(to+2)) + "\x01\x0b" + g.assignment(depth) + "\x0b"
}

// bulk fills, copies or initialises memory, now and then in pieces.
func (g *generator) bulk(depth int) string {
	to, from := g.address(depth), g.address(depth)
	size := g.value(i32, depth) + constI32(0xfff) + "\x71"
	if g.IntN(8) == 0 {
		size = constI32(int32(g.IntN(randomPages * wasmbin.PageSize)))
	}
	switch g.IntN(4) {
	case 0:
		return to + from + size + "\xfc\x0b\x00"
	case 1:
		return to + constI32(int32(g.IntN(30))) + constI32(int32(g.IntN(40))) + "\xfc\x08\x01\x00"
	default:
		return to + from + size + "\xfc\x0a\x00\x00"
	}
}

// dispatch is a loop like those of Go's functions: some states, of which each
// sets the next one.
func (g *generator) dispatch(depth int) string {
	state := u(uint32(len(g.locals) - 1))
	n := 2 + g.IntN(3)
	saved := g.blocks
	g.blocks = nil
	defer func() { g.blocks = saved }()
	s := constI32(int32(g.IntN(n+1))) + "\x21" + state + "\x02\x40\x03\x40" + strings.Repeat("\x02\x40", n) + "\x20" + state + "\x0e"
	table := make([]string, 0, n)
	for range n {
		table = append(table, u(uint32(g.IntN(n))))
	}
	s += vec(table...) + u(uint32(g.IntN(n+2)))
	if strings.HasSuffix(s, u(uint32(n))) {
		s = s[:len(s)-1] + u(uint32(n+1)) // not the loop: it would be endless
	}
	for i := range n {
		loop := uint32(n - 1 - i)
		s += "\x0b" + spend() + g.assignment(max(depth-1, 1))
		next := constI32(int32(g.IntN(n + 2)))
		switch g.IntN(5) {
		case 0:
			s += g.value(i32, 1) + "\x04\x40" + next + "\x21" + state + "\x0c" + u(loop+1) + "\x0b"
		case 1:
			s += next + "\x21" + state + "\x0c" + u(loop)
		case 2:
			s += g.value(i32, 1) + "\x21" + state + "\x0c" + u(loop)
		case 3:
			s += g.value(i32, 1) + next + "\x21" + state + "\x0d" + u(loop)
		}
	}
	return s + "\x0b\x0b"
}

func (g *generator) values(types string, depth int) string {
	var s string
	for _, t := range []byte(types) {
		s += g.value(string(t), depth)
	}
	return s
}

// call calls a function of a type, often through the table, where other types
// and nothing are too.
func (g *generator) call(t, depth int) string {
	args := g.values(g.types[t][0], depth-1)
	to := -1
	for i, of := range g.funcs {
		if of == t && (to < 0 || g.IntN(2) == 0) {
			to = i
		}
	}
	if to >= 0 && g.IntN(2) == 0 {
		return args + "\x10" + u(uint32(to))
	}
	if to < 0 || g.IntN(16) == 0 {
		to = g.IntN(len(g.funcs) + 3)
	}
	return args + constI32(int32(to)) + "\x11" + u(uint32(t), 0)
}
