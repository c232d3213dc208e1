package enginetest

import (
	"encoding/binary"

	"github.com/wasmoor/wasmoor/abi"
)

// Builder assembles a module: imports first, then functions. It trusts its
// caller; what is wrong shows when the module is prepared.
type Builder struct {
	types, imports, funcs, tables, globals, exports, codes, data [][]byte
	memory                                                       []byte
	start                                                        []byte
}

// NewBuilder returns a module with a memory of so many pages, exported.
func NewBuilder(pages uint32) *Builder {
	b := &Builder{memory: uleb([]byte{0}, uint64(pages))}
	b.export(abi.ExportMemory, 2, 0)
	return b
}

// Types of parameters and results, as bytes of the binary format.
const (
	i32 = byte(abi.I32)
	i64 = byte(abi.I64)
)

// Native imports a host function of the native ABI and returns its index.
func (b *Builder) Native(name string) uint32 {
	for _, f := range abi.Functions() {
		if f.Name == name {
			return b.Import(abi.Module, name, f.Types(), []abi.Type{abi.I64})
		}
	}
	panic("enginetest: no host function " + name)
}

// Import imports a function and returns its index.
func (b *Builder) Import(module, name string, params, results []abi.Type) uint32 {
	if len(b.funcs) > 0 {
		panic("enginetest: import after a function")
	}
	entry := append(str(str(nil, module), name), 0)
	b.imports = append(b.imports, uleb(entry, uint64(b.typeOf(params, results))))
	return uint32(len(b.imports) - 1)
}

// Func adds a function, exported unless export is empty, with so many i64
// locals behind its parameters, and returns its index.
func (b *Builder) Func(export string, params, results []abi.Type, locals uint32, code *Code) uint32 {
	index := b.next()
	b.funcs = append(b.funcs, uleb(nil, uint64(b.typeOf(params, results))))
	body := append(uleb([]byte{1}, uint64(locals)), i64)
	body = append(append(body, code.bytes...), opEnd)
	b.codes = append(b.codes, append(uleb(nil, uint64(len(body))), body...))
	if export != "" {
		b.export(export, 0, index)
	}
	return index
}

// next returns the index of the function that is added next.
func (b *Builder) next() uint32 { return uint32(len(b.imports) + len(b.funcs)) }

// Handle adds the exported handler, with 4 i64 locals; code leaves its i32
// result.
func (b *Builder) Handle(code *Code) *Builder {
	b.Func(abi.ExportHandle, nil, []abi.Type{abi.I32}, 4, code)
	return b
}

// Data puts bytes in memory before anything runs.
func (b *Builder) Data(offset uint32, bytes string) *Builder {
	segment := append([]byte{0}, new(Code).I32(offset).bytes...)
	b.data = append(b.data, str(append(segment, opEnd), bytes))
	return b
}

// Passive adds bytes that code copies to memory (memory.init) by the number of
// calls of Data and Passive before.
func (b *Builder) Passive(bytes string) *Builder {
	b.data = append(b.data, str([]byte{1}, bytes))
	return b
}

// Table adds a table of so many null functions.
func (b *Builder) Table(size uint32) *Builder {
	b.tables = append(b.tables, uleb([]byte{0x70, 0}, uint64(size)))
	return b
}

// Global adds a mutable i64.
func (b *Builder) Global(value uint64) *Builder {
	b.globals = append(b.globals, append(append([]byte{i64, 1}, new(Code).I64(value).bytes...), opEnd))
	return b
}

// Start makes a function run at instantiation.
func (b *Builder) Start(function uint32) *Builder {
	b.start = uleb(nil, uint64(function))
	return b
}

// Bytes returns the module.
func (b *Builder) Bytes() []byte {
	m := []byte("\x00asm\x01\x00\x00\x00")
	m = append(m, vector(1, b.types)...)
	m = append(m, vector(2, b.imports)...)
	m = append(m, vector(3, b.funcs)...)
	m = append(m, vector(4, b.tables)...)
	m = append(m, vector(5, [][]byte{b.memory})...)
	m = append(m, vector(6, b.globals)...)
	m = append(m, vector(7, b.exports)...)
	if b.start != nil {
		m = append(m, section(8, b.start)...)
	}
	if len(b.data) > 0 {
		m = append(m, section(12, uleb(nil, uint64(len(b.data))))...) // which code that names them needs
	}
	m = append(m, vector(10, b.codes)...)
	m = append(m, vector(11, b.data)...)
	return m
}

func (b *Builder) export(name string, kind byte, index uint32) {
	b.exports = append(b.exports, uleb(append(str(nil, name), kind), uint64(index)))
}

func (b *Builder) typeOf(params, results []abi.Type) int {
	t := []byte{0x60}
	for _, list := range [][]abi.Type{params, results} {
		t = uleb(t, uint64(len(list)))
		for _, v := range list {
			t = append(t, byte(v))
		}
	}
	b.types = append(b.types, t)
	return len(b.types) - 1
}

func vector(id byte, items [][]byte) []byte {
	if len(items) == 0 {
		return nil
	}
	content := uleb(nil, uint64(len(items)))
	for _, item := range items {
		content = append(content, item...)
	}
	return section(id, content)
}

func section(id byte, content []byte) []byte {
	return append(uleb([]byte{id}, uint64(len(content))), content...)
}

func str(b []byte, s string) []byte { return append(uleb(b, uint64(len(s))), s...) }

func uleb(b []byte, v uint64) []byte { return binary.AppendUvarint(b, v) }

func sleb(b []byte, v int64) []byte {
	for {
		low := byte(v & 0x7f)
		v >>= 7
		if v == 0 && low&0x40 == 0 || v == -1 && low&0x40 != 0 {
			return append(b, low)
		}
		b = append(b, low|0x80)
	}
}
