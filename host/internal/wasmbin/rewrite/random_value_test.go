package rewrite

import "github.com/wasmoor/wasmoor/abi"

func numberType(t string) abi.Type { return abi.Type(t[0]) }

// Instructions by the type of their operands, which is that of their result,
// and comparisons. Some divisions trap.
var (
	unary = map[string]string{
		i32: "\x67\x68\x69\xc0\xc1", i64: "\x79\x7a\x7b\xc2\xc3\xc4",
		"\x7d": "\x8b\x8c\x8d\x8e\x8f\x90\x91", "\x7c": "\x99\x9a\x9b\x9c\x9d\x9e\x9f",
	}
	arithmetic = map[string]string{
		i32: "\x6a\x6b\x6c\x6d\x6e\x6f\x70\x71\x72\x73\x74\x75\x76\x77\x78", i64: "\x7c\x7d\x7e\x7f\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a",
		"\x7d": "\x92\x93\x94\x95\x96\x97\x98", "\x7c": "\xa0\xa1\xa2\xa3\xa4\xa5\xa6",
	}
	compare = map[string]string{
		i32: "\x46\x47\x48\x49\x4a\x4b\x4c\x4d\x4e\x4f", i64: "\x51\x52\x53\x54\x55\x56\x57\x58\x59\x5a",
		"\x7d": "\x5b\x5c\x5d\x5e\x5f\x60", "\x7c": "\x61\x62\x63\x64\x65\x66",
	}
	// conversions to a type, from each of numbers.
	conversions = map[string][4]string{
		i32: {"\x67", "\xa7", "\xa8", "\xaa"}, i64: {"\xac", "\x79", "\xae", "\xb0"},
		"\x7d": {"\xb2", "\xb4", "\x8b", "\xb6"}, "\x7c": {"\xb7", "\xb9", "\xbb", "\x99"},
	}
	loads = map[string]string{i32: "\x28", i64: "\x29", "\x7d": "\x2a", "\x7c": "\x2b"}
)

// value pushes a value of a type.
func (g *generator) value(t string, depth int) string {
	if depth <= 0 {
		return g.leaf(t)
	}
	switch g.IntN(12) {
	case 0, 1:
		return g.value(t, depth-1) + g.pick(unary[t])
	case 2, 3, 4:
		return g.value(t, depth-1) + g.value(t, depth-1) + g.pick(arithmetic[t])
	case 5:
		return g.address(depth-1) + loads[t] + "\x00" + u(uint32(g.IntN(99)))
	case 6:
		from := g.IntN(len(numbers))
		return g.value(numbers[from], depth-1) + conversions[t][from]
	case 7:
		return g.value(i32, depth-1) + g.ifElse(t, depth-1)
	case 8:
		return g.value(t, depth-1) + g.value(t, depth-1) + g.value(i32, depth-1) + "\x1b"
	case 9:
		return g.special(t, depth)
	default:
		return g.leaf(t)
	}
}

func (g *generator) special(t string, depth int) string {
	for i, of := range g.types {
		if !g.small && of[1] == t && g.IntN(2) == 0 {
			return g.call(i, depth)
		}
	}
	switch {
	case t == i32 && g.IntN(2) == 0:
		from := g.number()
		return g.value(from, depth-1) + g.value(from, depth-1) + g.pick(compare[from])
	case t == i32 && g.IntN(4) == 0:
		return constI32(int32(g.IntN(2))) + "\x40\x00"
	case t == i32:
		return "\x3f\x00"
	}
	if g.small {
		return g.leaf(t)
	}
	return "\x02" + t + g.within(t, func() string { return g.statements(depth-1) + g.value(t, depth-1) }) + "\x0b"
}

func (g *generator) pick(ops string) string {
	i := g.IntN(len(ops))
	return ops[i : i+1]
}

// leaf is a constant, a local or a global.
func (g *generator) leaf(t string) string {
	var found []string
	for i := range g.locals {
		if g.locals[i:i+1] == t {
			found = append(found, "\x20"+u(uint32(i)))
		}
	}
	for i, of := range g.globals {
		if of == t && i != budgetGlobal {
			found = append(found, "\x23"+u(uint32(i)))
		}
	}
	if len(found) == 0 || g.IntN(3) == 0 {
		return g.constant(t)
	}
	return found[g.IntN(len(found))]
}
