package wasmbin

import (
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/format"
)

func TestRead(t *testing.T) {
	b := guest()
	m, err := Read([]byte(b))
	if err != nil {
		t.Fatal(err)
	}
	head := FuncType{Params: []abi.Type{abi.I32, abi.I32}, Results: []abi.Type{abi.I64}}
	handle := FuncType{Params: []abi.Type{}, Results: []abi.Type{abi.I32}}
	imports := []Import{
		{Module: "wasmoor_v1", Name: "request_head", Kind: Function, Type: head},
		{Module: "env", Name: "t", Kind: Table},
		{Module: "env", Name: "m", Kind: Memory},
		{Module: "env", Name: "g", Kind: Global},
	}
	exports := []Export{
		{Name: "wasmoor_handle", Kind: Function, Index: 1, Type: handle},
		{Name: "memory", Kind: Memory},
		{Name: "table", Kind: Table, Index: 1},
		{Name: "global", Kind: Global, Index: 2},
		{Name: "head", Kind: Function, Type: head},
	}
	for _, tt := range []struct {
		what      string
		got, want any
	}{
		{"Imports", m.Imports, imports},
		{"Exports", m.Exports, exports},
		{"Functions", m.Functions, 2},
		{"Tables", m.Tables, []format.Limits{{Min: 2, Max: 3, HasMax: true}}},
		{"Memories", m.Memories, []format.Limits{{Min: 17}}},
		{"Globals", m.Globals, 8},
		{"Start", m.Start, true},
		{"Size", m.Size, len(b)},
		{"sections", len(m.Sections), 14},
	} {
		if d := cmp.Diff(tt.want, tt.got); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.what, d)
		}
	}
	if e, ok := m.Export("wasmoor_handle"); !ok || !e.Type.Is(nil, []abi.Type{abi.I32}) || e.Type.Is([]abi.Type{abi.I32}, nil) {
		t.Errorf("Export(wasmoor_handle) = %v, %v", e, ok)
	}
	if e, ok := m.Export("nothing"); ok {
		t.Errorf("Export(nothing) = %v", e)
	}
}

func TestReadEmptyModule(t *testing.T) {
	m, err := Read([]byte(header))
	if err != nil || len(m.Imports)+len(m.Exports)+m.Functions != 0 || m.Start {
		t.Errorf("Read = %+v, %v", m, err)
	}
}

func TestFuncTypeString(t *testing.T) {
	for _, tt := range []struct {
		params, results []abi.Type
		want            string
	}{
		{nil, []abi.Type{abi.I32}, "() -> i32"},
		{[]abi.Type{abi.I32, abi.I64}, nil, "(i32, i64) -> ()"},
		{[]abi.Type{0x7d, 0x7c, 0x7b}, []abi.Type{0x70, 0x6f}, "(f32, f64, v128) -> (funcref, externref)"},
	} {
		if got := (FuncType{tt.params, tt.results}).String(); got != tt.want {
			t.Errorf("String = %q, want %q", got, tt.want)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	types := section(format.IDType, vec(funcType("", "")))
	one := types + section(format.IDFunction, vec(u(0)))
	memory := section(format.IDMemory, vec("\x00\x01"))
	for _, tt := range []struct{ name, in, want string }{
		{"empty", "", "it is empty"},
		{"text", " (module)", "text format"},
		{"html", "<!doctype html>", "not a WebAssembly module: starts with \"<!doctyp\""},
		{"three bytes", "\x00as", "cut short"},
		{"header cut", "\x00asm\x01", "cut short"},
		{"component", "\x00asm\x0d\x00\x01\x00", "component"},
		{"version 2", "\x00asm\x02\x00\x00\x00", "02 00 00 00"},
		{"unknown section", header + section(15, ""), "section id 15"},
		{"size missing", header + "\x01", "offset 9"},
		{"size beyond the end", header + "\x01" + huge, "4294967295 bytes, and 0 are left"},
		{"size of 6 bytes", header + "\x01\x80\x80\x80\x80\x80\x00", "32-bit number"},
		{"size of 33 bits", header + "\x01\xff\xff\xff\xff\x1f", "32-bit number"},
		{"twice", header + types + types, "there twice"},
		{"out of order", header + memory + types, "out of order"},
		{"data count behind code", header + section(format.IDCode, vec()) + section(format.IDDataCount, u(0)), "out of order"},
		{"custom name cut", header + "\x00\x02\x05a", "section's name"},
		{"custom name not text", header + section(format.IDCustom, text("\xff")), "UTF-8"},
		{"too many custom sections", header + strings.Repeat(section(format.IDCustom, text("")), format.MaxCustomSections+1), "custom sections"},
		{"bytes behind the items", header + section(format.IDType, vec(), "x"), "1 bytes after"},

		{"130 M exports in 14 bytes", header + "\x07\x04\x80\xfa\xfe\x3d", "limit of 10000"},
		{"2^32 functions in 21 bytes", header + types + "\x03\x05" + huge, "limit of 100000"},
		{"2^32 elements in a segment", header + section(format.IDElement, "\x01\x01\x00"+huge), "limit of 200000"},
		{"elements that do not fit", header + section(format.IDElement, u(1)+"\x01\x00"+u(100_000)), "do not fit"},
		{"types that do not fit", header + section(format.IDType, u(9999)), "do not fit"},
		{"imports that do not fit", header + section(format.IDImport, u(9999)), "do not fit"},
		{"data segments that do not fit", header + section(format.IDData, u(99_999)), "do not fit"},
		{"globals that do not fit", header + section(format.IDGlobal, u(99_999)), "do not fit"},
		{"parameters that do not fit", header + section(format.IDType, u(1)+"\x60"+u(999)), "do not fit"},
		{"too many parameters", header + section(format.IDType, vec(funcType(strings.Repeat(i32, format.MaxParams+1), ""))), "limit of 1000"},
		{"too many exports", header + section(format.IDExport, u(format.MaxExports+1), strings.Repeat("\x00", 3*(format.MaxExports+1))), "limit of 10000"},
		{"2^32 locals in 28 bytes", header + one + section(format.IDCode, vec("\x08\x01"+huge+i32+"\x0b")), "4294967295 locals"},
		{"locals that wrap", header + one + section(format.IDCode, vec("\x0f\x02"+huge+i32+huge+i64+"\x00\x0b")), "locals"},
		{"large table", header + section(format.IDTable, vec("\x70\x00"+u(format.MaxTable+1))), "limit of 200000"},
		{"large imported table", header + section(format.IDImport, vec(text("")+text("")+"\x01\x70\x00"+u(format.MaxTable+1))), "limit of 200000"},
		{"too many tables", header + section(format.IDTable, u(format.MaxTables+1)), "limit of 100"},

		{"type form", header + section(format.IDType, vec("\x5f\x00\x00")), "type form 0x5f"},
		{"value type", header + section(format.IDType, vec(funcType("\x63", ""))), "type 0x63 is of typed function references"},
		{"no such type", header + types + section(format.IDFunction, vec(u(1))), "no type 1"},
		{"no such type imported", header + section(format.IDImport, vec(text("a")+text("b")+"\x00"+u(0))), "no type 0"},
		{"import of a tag", header + section(format.IDImport, vec(text("a")+text("b")+"\x04\x00\x00")), "import kind 4 is of exception handling"},
		{"import name not text", header + section(format.IDImport, vec(text("a")+text("\xc3")+"\x00")), "UTF-8"},
		{"import name beyond", header + section(format.IDImport, vec(u(200)+"abcd")), "200 bytes, and 4 are left"},
		{"shared memory", header + section(format.IDMemory, vec("\x03\x01\x02")), "flags 0x03 is of threads, which guests do not have; build without -pthread"},
		{"64-bit memory", header + section(format.IDMemory, vec("\x04\x01")), "(memory64), which guests do not have; build for wasm32"},
		{"64-bit shared memory", header + section(format.IDMemory, vec("\x07\x01\x02")), "memory64"},
		{"small pages", header + section(format.IDMemory, vec("\x08\x01\x00")), "custom page sizes"},
		{"flags of nothing", header + section(format.IDMemory, vec("\x10\x01")), "flags 0x10 is not of WebAssembly 2.0"},
		{"two memories", header + section(format.IDMemory, vec("\x00\x01", "\x00\x01")), "a module with 2 memories is of several memories (multi-memory), which guests do not have; link into one"},
		{"table with a value", header + section(format.IDTable, vec("\x40\x00\x70\x00\x01\xd0\x70\x0b")), "typed function references"},
		{"type in a group", header + section(format.IDType, vec("\x4e\x01\x5f\x00")), "type form 0x4e is of garbage collection (GC)"},
		{"type of a structure", header + section(format.IDType, vec("\x5f\x01\x7f\x00")), "garbage collection"},
		{"type of a continuation", header + section(format.IDType, vec("\x5d\x00")+"\x00"), "stack switching"},
		{"parameter of any type", header + section(format.IDType, vec(funcType("\x6e", ""))), "type 0x6e is of garbage collection"},
		{"parameter that is an exception", header + section(format.IDType, vec(funcType("\x69", ""))), "type 0x69 is of exception handling"},
		{"global of a new structure", header + section(format.IDGlobal, vec("\x70\x00\xfb\x00\x00\x0b")), "0xfb is of garbage collection"},
		{"strings", header + section(14, vec()), "the section of strings is of garbage collection"},
		{"large memory", header + section(format.IDMemory, vec("\x00"+u(format.MaxPages+1))), "65536 pages"},
		{"large maximum", header + section(format.IDMemory, vec("\x01\x00"+u(format.MaxPages+1))), "65536 pages"},
		{"maximum below minimum", header + section(format.IDMemory, vec("\x01\x02\x01")), "below its minimum"},
		{"table of numbers", header + section(format.IDTable, vec(i32+"\x00\x01")), "i32 is not a reference type"},
		{"mutable 2", header + section(format.IDGlobal, vec(i32+"\x02"+zero)), "mutable"},
		{"constant cut", header + section(format.IDGlobal, vec(i32+"\x00\x41\x80")), "constant"},
		{"constant too long", header + section(format.IDGlobal, vec(i32+"\x00\x41\x80\x80\x80\x80\x80\x00\x0b")), "longer than 32 bits"},
		{"constant is a call", header + section(format.IDGlobal, vec(i32+"\x00\x10\x00\x0b")), "0x10"},
		{"constant is a vector operation", header + section(format.IDGlobal, vec("\x7b\x00\xfd\x0d\x0b")), "0xfd 13"},
		{"exported twice", header + memory + section(format.IDExport, vec(text("m")+"\x02\x00", text("m")+"\x02\x00")), "\"m\" is exported twice"},
		{"export of nothing", header + section(format.IDExport, vec(text("f")+"\x00\x00")), "exported function is 0"},
		{"export of no table", header + section(format.IDExport, vec(text("f")+"\x01\x00")), "exported table"},
		{"export of no memory", header + section(format.IDExport, vec(text("f")+"\x02\x00")), "exported memory"},
		{"export of no global", header + section(format.IDExport, vec(text("f")+"\x03\x00")), "exported global"},
		{"export of a tag", header + section(format.IDExport, vec(text("f")+"\x04\x00")), "export kind 4 is of exception handling"},
		{"start of nothing", header + section(format.IDStart, u(0)), "start function"},
		{"no code", header + one, "no code section"},
		{"less code", header + one + section(format.IDCode, vec()), "0 function bodies for 1"},
		{"body beyond", header + one + section(format.IDCode, vec("\x70\x00\x0b")), "function body has 112 bytes"},
		{"body without end", header + one + section(format.IDCode, vec("\x02\x00\x00")), "cut short"},
		{"body of locals", header + one + section(format.IDCode, vec("\x02\x00")+"\x00"), "cut short"},
		{"end too early", header + one + section(format.IDCode, vec(function("\x0b\x01"))), "2 bytes after"},
		{"block not ended", header + one + section(format.IDCode, vec(function("\x02\x40"))), "cut short"},
		{"try", header + one + section(format.IDCode, vec(function("\x06\x40\x0b"))), "instruction 0x06 is of exception handling"},
		{"throw", header + one + section(format.IDCode, vec(function("\x08\x00"))), "instruction 0x08 is of exception handling"},
		{"throw_ref", header + one + section(format.IDCode, vec(function("\x0a"))), "instruction 0x0a is of exception handling"},
		{"try_table", header + one + section(format.IDCode, vec(function("\x1f\x40\x01\x00\x00\x00\x0b"))), "build without -fwasm-exceptions"},
		{"tags", header + one + section(13, vec("\x00\x00")), "the tag section is of exception handling"},
		{"tail call of nothing", header + one + section(format.IDCode, vec(function("\x12\x07"))), "a function is 7"},
		{"tail call through no table", header + one + section(format.IDCode, vec(function("\x13\x00\x00"))), "a table is 0"},
		{"call of a reference", header + one + section(format.IDCode, vec(function("\x14\x00"))), "0x14 is of typed function references"},
		{"continuation", header + one + section(format.IDCode, vec(function("\xe0\x00"))), "0xe0 is of stack switching"},
		{"structure", header + one + section(format.IDCode, vec(function("\xfb\x00\x00"))), "0xfb is of garbage collection (GC), which guests do not have; the compilers of Kotlin"},
		{"wide arithmetic", header + one + section(format.IDCode, vec(function("\xfc\x13"))), "0xfc 19 is of wide arithmetic"},
		{"no instruction", header + one + section(format.IDCode, vec(function("\xff"))), "instruction 0xff is not of WebAssembly 2.0"},
		{"atomics", header + one + section(format.IDCode, vec(function("\xfe\x03\x00"))), "instruction 0xfe is of threads"},
		{"unknown operation", header + one + section(format.IDCode, vec(function("\xfc\x12"))), "0xfc 18"},
		{"relaxed vectors", header + one + section(format.IDCode, vec(function("\xfd\x80\x02"))), "0xfd 256 is of relaxed SIMD, which guests do not have; build with -mno-relaxed-simd"},
		{"branch targets that do not fit", header + one + section(format.IDCode, vec(function("\x0e"+u(format.MaxTargets)))), "do not fit"},
		{"too many branch targets", header + one + section(format.IDCode, vec(function("\x0e"+huge))), "limit of 2147483647"},
		{"deep loops", header + one + section(format.IDCode, vec(function(nest("\x03\x40", format.MaxLoopDepth+1)))), "loops nest deeper"},
		{"deep blocks", header + one + section(format.IDCode, vec(function(nest("\x02\x40", format.MaxDepth+1)))), "blocks nest deeper"},
		{"blocks of many functions", header + types + section(format.IDFunction, vec(slices.Repeat([]string{u(0)}, 30)...)) +
			section(format.IDCode, vec(slices.Repeat([]string{withLocals("\x01"+u(1000)+i32, strings.Repeat("\x02\x40\x0b", 300))}, 30)...)), "together more"},
		{"segment form", header + section(format.IDElement, vec("\x08\x00\x00")), "form 8"},
		{"segment kind", header + section(format.IDElement, vec("\x01\x01\x00")), "element kind 1"},
		{"segment of no table", header + section(format.IDElement, vec("\x02\x00"+zero+"\x00\x00")), "table"},
		{"element of nothing", header + section(format.IDElement, vec("\x01\x00"+vec(u(7)))), "element is 7"},
		{"data form", header + memory + section(format.IDData, vec("\x03\x00")), "form 3"},
		{"data of no memory", header + section(format.IDData, vec("\x02\x00"+zero+"\x00")), "memory"},
		{"data beyond", header + memory + section(format.IDData, vec("\x01\x05abc")), "data segment has 5 bytes"},
		{"data count", header + section(format.IDDataCount, u(1)) + section(format.IDData, vec()), "data count is 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := Read([]byte(tt.in))
			if fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Read = %v, %v, want %q", m, err, tt.want)
			}
		})
	}
}

func nest(block string, depth int) string {
	return strings.Repeat(block, depth) + strings.Repeat("\x0b", depth)
}

func TestReadTakesWhatIsAtTheLimit(t *testing.T) {
	for name, body := range map[string]string{
		"loops":   function(strings.Repeat(nest("\x03\x40", format.MaxLoopDepth), 3)),
		"blocks":  function(nest("\x02\x40", format.MaxDepth)),
		"targets": function("\x0e" + u(format.MaxTargets) + strings.Repeat("\x00", format.MaxTargets+1)),
		"locals":  withLocals("\x01"+u(format.MaxLocals)+i32, strings.Repeat("\x04\x40\x0b", 9)),
		"size":    function(strings.Repeat("\x01", format.MaxBody-2)),
	} {
		in := header + section(format.IDType, vec(funcType("", ""))) + section(format.IDFunction, vec(u(0))) + section(format.IDCode, vec(body))
		if _, err := Read([]byte(in)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestErrorsNameThePlace(t *testing.T) {
	_, err := Read([]byte(header + section(format.IDMemory, vec("\x03\x01\x02"))))
	if want := "at offset 11 in section memory: "; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("Read = %v, want %q", err, want)
	}
}

// TestReadOfEveryPiece cuts the module at every byte: most pieces are refused,
// and those that end between two sections are modules without some.
func TestReadOfEveryPiece(t *testing.T) {
	b := []byte(guest())
	m, err := Read(b)
	if err != nil {
		t.Fatal(err)
	}
	whole := map[int]bool{format.HeaderSize: true}
	for _, s := range m.Sections {
		whole[s.End] = true
	}
	for n := range len(b) {
		_, err := Read(b[:n])
		if err == nil && !whole[n] {
			t.Errorf("the first %d of %d bytes are a module", n, len(b))
		}
		if err != nil && fault.CodeOf(err) != fault.Invalid {
			t.Errorf("the first %d bytes: %v", n, err)
		}
	}
}

// TestLiesTakeNoMemory reads modules whose counts promise gigabytes.
func TestLiesTakeNoMemory(t *testing.T) {
	for _, id := range []byte{format.IDType, format.IDImport, format.IDFunction, format.IDTable, format.IDMemory, format.IDGlobal, format.IDExport, format.IDElement, format.IDCode, format.IDData} {
		for _, count := range []string{huge, u(100_000), u(9_999)} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := Read([]byte(header + section(id, count)))
			runtime.ReadMemStats(&after)
			if taken := after.TotalAlloc - before.TotalAlloc; err == nil || taken > 1<<20 {
				t.Errorf("section %d: %v, with %d bytes", id, err, taken)
			}
		}
	}
}
