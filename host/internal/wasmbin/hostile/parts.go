package hostile

import (
	"strings"

	"github.com/wasmoor/wasmoor/abi"
)

// parts are the items of a module's sections, as they are written.
type parts struct {
	types, imports, functions, tables, memories, globals, exports, elements, codes, data []string

	start string // the section's content
	after string // whole sections
}

// Types of every module made of guest.
const (
	toI32    = 0 // () -> i32
	toNone   = 1 // () -> ()
	nextType = 2
)

// Instructions.
const (
	unreachable = "\x00"
	block       = "\x02\x40"
	loop        = "\x03\x40"
	ifThen      = "\x04\x40"
	elseThen    = "\x05"
	end         = "\x0b"
	drop        = "\x1a"
	zero        = "\x41\x00" // i32.const
	add         = "\x6a"
	fill        = "\xfc\x0b\x00"
	growMemory  = "\x40\x00"
)

func br(depth int) string      { return "\x0c" + u(depth) }
func brIf(depth int) string    { return "\x0d" + u(depth) }
func call(function int) string { return "\x10" + u(function) }
func get(local int) string     { return "\x20" + u(local) }
func set(local int) string     { return "\x21" + u(local) }
func number(n int64) string    { return "\x41" + s(n) }

func funcType(params, results string) string { return "\x60" + text(params) + text(results) }

// group declares n locals of a type.
func group(n int, t string) string { return u(n) + t }

// none declares no locals.
const none = "\x00"

// body is a function's code behind its locals, a vector of groups.
func body(locals string, code ...string) string {
	return text(locals + many(1, code...) + end)
}

// guest returns what serves requests with an empty answer.
func guest() *parts {
	p := &parts{
		types:    []string{funcType("", i32), funcType("", "")},
		memories: []string{"\x00\x01"},
		exports:  []string{text(abi.ExportMemory) + "\x02\x00"},
	}
	return p.handle(none, zero)
}

// handle adds the handler of a module that imports functions alone, if anything.
func (p *parts) handle(locals string, code ...string) *parts {
	p.functions, p.codes = []string{u(toI32)}, []string{body(locals, code...)}
	p.exports = append(p.exports[:1:1], text(abi.ExportHandle)+"\x00"+u(len(p.imports)))
	return p
}

// function adds a function of a type.
func (p *parts) function(t int, locals string, code ...string) *parts {
	p.functions, p.codes = append(p.functions, u(t)), append(p.codes, body(locals, code...))
	return p
}

// initialize adds the function that starts the guest.
func (p *parts) initialize(locals string, code ...string) *parts {
	p.exports = append(p.exports, text(abi.ExportInitialize)+"\x00"+u(len(p.functions)))
	return p.function(toNone, locals, code...)
}

// starting adds a start section's function.
func (p *parts) starting(locals string, code ...string) *parts {
	p.start = u(len(p.functions))
	return p.function(toNone, locals, code...)
}

// typed adds a type and returns its index.
func (p *parts) typed(params, results string) int {
	p.types = append(p.types, funcType(params, results))
	return len(p.types) - 1
}

func (p *parts) bytes() []byte {
	var b strings.Builder
	b.WriteString(header)
	for _, part := range []struct {
		id    byte
		items []string
	}{
		{idType, p.types},
		{idImport, p.imports},
		{idFunction, p.functions},
		{idTable, p.tables},
		{idMemory, p.memories},
		{idGlobal, p.globals},
		{idExport, p.exports},
	} {
		b.WriteString(vector(part.id, part.items))
	}
	if p.start != "" {
		b.WriteString(section(idStart, p.start))
	}
	b.WriteString(vector(idElement, p.elements))
	if p.data != nil {
		b.WriteString(section(idDataCount, u(len(p.data))))
	}
	return []byte(b.String() + vector(idCode, p.codes) + vector(idData, p.data) + p.after)
}

func vector(id byte, items []string) string {
	if len(items) == 0 {
		return ""
	}
	return section(id, vec(items...))
}
