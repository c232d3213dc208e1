package rewrite

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tetratelabs/wazero"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/format"
)

// module is a module of some sections around functions of the type () -> ().
func module(globals []string, bodies ...string) string {
	types := make([]string, len(bodies))
	for i := range types {
		types[i] = u(0)
	}
	return header + section(format.IDType, vec(funcType("", ""))) +
		section(format.IDFunction, vec(types...)) +
		section(format.IDTable, vec("\x70\x00\x01")) +
		section(format.IDMemory, vec("\x01\x01\x09")) +
		section(format.IDGlobal, vec(globals...)) +
		section(format.IDExport, vec(text("f")+"\x00\x00", text("memory")+"\x02\x00")) +
		section(format.IDDataCount, u(2)) +
		section(format.IDCode, vec(bodies...)) +
		section(format.IDData, vec("\x00"+zero+text("abc"), "\x01"+text("passive")))
}

func mustInstrument(t *testing.T, b string) *Instrumented {
	t.Helper()
	i, err := Instrument([]byte(b))
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func TestInstrument(t *testing.T) {
	b := guest() + section(format.IDCustom, text("name"), "\x01"+text(vec(u(0)+text("head"), u(1)+text("handle"))))
	got := mustInstrument(t, b)
	before, err := wasmbin.Read([]byte(b))
	if err != nil {
		t.Fatal(err)
	}
	after, err := wasmbin.Walk(got.Module, nil)
	if err != nil {
		t.Fatal(err)
	}
	check := wasmbin.Import{Module: InterruptModule, Name: InterruptName, Type: wasmbin.FuncType{Params: []abi.Type{}, Results: []abi.Type{}}}
	if d := cmp.Diff(append(before.Imports, check), after.Imports); d != "" {
		t.Errorf("imports (-want +got):\n%s", d)
	}
	exports := before.Exports
	exports[0].Index++ // the second function, now behind the import that is added
	exports = append(exports, wasmbin.Export{Name: StartExport, Index: 7, Type: check.Type})
	if d := cmp.Diff(exports, after.Exports); d != "" {
		t.Errorf("exports (-want +got):\n%s", d)
	}
	for _, s := range after.Sections {
		if s.Custom() {
			t.Errorf("the custom section %q is still there", s.Name)
		}
	}
	if after.Start || after.Memories[0].HasMax {
		t.Errorf("the start section or the memory's maximum is still there")
	}
	if !got.Start || got.MaxPages != format.MaxPages || got.Fresh != "it imports a table" || got.Globals != nil {
		t.Errorf("got %v, %d, %q, %v", got.Start, got.MaxPages, got.Fresh, got.Globals)
	}
}

// TestJumpsForwards: a jump through a loop's branch table that leads forwards does
// not take that way.
func TestJumpsForwards(t *testing.T) {
	const stays, leaves = "\x41\x01\x21\x00", "\x41\x00\x21\x00" // set the local that the table is asked for
	for _, tt := range []struct {
		name, code, want string
	}{
		{"br", leaves + "\x0c\x01", leaves + "\x0c\x00"},
		{"br_if", "\x20\x01" + leaves + "\x0d\x01", leaves + "\x0d\x00"},
		{"from a block", "\x02\x40" + leaves + "\x0c\x02\x0b", leaves + "\x0c\x01"},
		{"from an if", "\x20\x01\x04\x40" + leaves + "\x0c\x02\x0b", leaves + "\x0c\x01"},
		{"backwards", "\x20\x01" + stays + "\x0d\x01", "\x0d\x01"},
		{"backwards by the default", "\x20\x01\x41\x07\x21\x00\x0d\x01", "\x0d\x01"},
		{"by another local", "\x20\x01\x41\x00\x21\x01\x0d\x01", "\x0d\x01"},
		{"by a value that is not known", "\x20\x01\x20\x01\x21\x00\x0d\x01", "\x0d\x01"},
	} {
		got := mustInstrument(t, module(nil, staying(tt.code)...)).Module
		if !bytes.Contains(got, []byte(tt.want)) {
			t.Errorf("%s: the jump is not %x in %x", tt.name, tt.want, got)
		}
	}
}

// TestJumpsWithValues: a jump to a loop with a parameter brings its next value.
func TestJumpsWithValues(t *testing.T) {
	const jump = "\x41\x14\x41\x00\x21\x00\x0c\x01" // 20, and then to where the table leads for 0
	body := "\x41\x01\x21\x00\x41\x0a\x03\x01\x02\x40\x02\x40\x20\x00\x0e\x01\x01\x00\x0b" + jump + "\x0b\x0b"
	b := header + section(format.IDType, vec(funcType("", i32), funcType(i32, i32))) + section(format.IDFunction, vec("\x00")) +
		section(format.IDExport, vec(text("f")+"\x00\x00")) + section(format.IDCode, vec(withLocals(vec("\x01"+i32), body)))
	ctx := t.Context()
	r := wazero.NewRuntime(ctx)
	defer r.Close(ctx)
	addChecks(t, r, func() {})
	got, err := instantiate(t, r, mustInstrument(t, b).Module).ExportedFunction("f").Call(ctx)
	if err != nil || got[0] != 20 {
		t.Errorf("the loop's parameter is %v, %v, want 20", got, err)
	}
}

func TestInstrumentBoundsTables(t *testing.T) {
	tables := section(format.IDTable, vec("\x70\x00\x02", "\x6f\x01\x02\x03", "\x70\x01\x01"+huge))
	got := mustInstrument(t, header+tables)
	m, err := wasmbin.Walk(got.Module, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []format.Limits{{Min: 2, Max: format.MaxTable, HasMax: true}, {Min: 2, Max: 3, HasMax: true}, {Min: 1, Max: format.MaxTable, HasMax: true}}
	if d := cmp.Diff(want, m.Tables); d != "" {
		t.Errorf("tables (-want +got):\n%s", d)
	}
}

func TestInstrumentSaysWhatIsFresh(t *testing.T) {
	counter := i32 + "\x01" + zero
	for _, tt := range []struct {
		name, body string
		globals    []string
		want       string
	}{
		{"plain", function("\xfc\x08\x01\x00\xfc\x0a\x00\x00\xfc\x0b\x00\x25\x00\xfc\x10\x00"), []string{counter}, ""},
		{"table.set", function("\x26\x00"), nil, "table.set"},
		{"table.init", function("\xfc\x0c\x00\x00"), nil, "table.init"},
		{"table.copy", function("\xfc\x0e\x00\x00"), nil, "table.copy"},
		{"table.grow", function("\xfc\x0f\x00"), nil, "table.grow"},
		{"table.fill", function("\xfc\x11\x00"), nil, "table.fill"},
		{"data.drop", function("\xfc\x09\x00"), nil, "data.drop"},
		{"elem.drop", function("\xfc\x0d\x00"), nil, "elem.drop"},
		{"vector", code, []string{"\x7b\x01\xfd\x0c1234567812345678\x0b"}, "type v128"},
		{"constant vector", code, []string{"\x7b\x00\xfd\x0c1234567812345678\x0b"}, ""},
		{"reference", code, []string{"\x70\x01\xd0\x70\x0b"}, "type funcref"},
		{"as many globals as allowed", code, repeat(counter, format.MaxResetGlobals), ""},
		{"too many globals", code, repeat(counter, format.MaxResetGlobals+1), "more than 1000 mutable globals"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := mustInstrument(t, module(tt.globals, tt.body))
			if (got.Fresh == "") != (tt.want == "") || !strings.Contains(got.Fresh, tt.want) {
				t.Errorf("Fresh = %q, want %q", got.Fresh, tt.want)
			}
		})
	}
}

func repeat(s string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = s
	}
	return list
}

func TestReservedNames(t *testing.T) {
	types := section(format.IDType, vec(funcType("", "")))
	importing := func(module, name string) string {
		return header + types + section(format.IDImport, vec(text(module)+text(name)+"\x00\x00"))
	}
	exporting := func(name string) string { return exportOf(name) }
	for _, tt := range []struct {
		name, in string
		ours     bool // Instrument refuses it too
	}{
		{"import of our module", importing(InterruptModule, InterruptName), true},
		{"import of another module of ours", importing("wasmoor:kernel", "alloc"), false},
		{"import with a name of ours", importing("env", "wasmoor:x"), false},
		{"export of a start", exporting(StartExport), true},
		{"export of a global", exporting(GlobalExport(7)), true},
		{"another export", exporting("wasmoor:start"), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := wasmbin.Read([]byte(tt.in)); fault.CodeOf(err) != fault.Invalid {
				t.Errorf("Read: got %v, want %s", err, fault.Invalid)
			}
			_, err := Instrument([]byte(tt.in))
			if tt.ours && fault.CodeOf(err) != fault.Invalid || !tt.ours && err != nil {
				t.Errorf("Instrument: got %v", err)
			}
		})
	}
}

func exportOf(name string) string {
	return header + section(format.IDType, vec(funcType("", ""))) + section(format.IDFunction, vec(u(0))) +
		section(format.IDExport, vec(text(name)+"\x00\x00")) + section(format.IDCode, vec(code))
}

// TestNoIndexReachesWhatIsAdded: a module cannot name the counter, the helpers
// or the types that Instrument adds, or it could run on for ever.
func TestNoIndexReachesWhatIsAdded(t *testing.T) {
	global := []string{i32 + "\x01" + zero}
	for name, b := range map[string]string{
		"global.set":          module(global, function("\x41\x00\x24\x01")),
		"global.get":          module(global, function("\x23\x01\x1a")),
		"global in constant":  module([]string{i32 + "\x00\x23\x01\x0b"}, code),
		"call":                module(global, function("\x10\x01")),
		"ref.func":            module(global, function("\xd2\x01\x1a")),
		"function in global":  module([]string{"\x70\x00\xd2\x01\x0b"}, code),
		"type of an if":       module(global, function("\x41\x00\x04\x01\x0b")),
		"type of a call":      module(global, function("\x41\x00\x11\x01\x00")),
		"long type of a loop": module(global, function("\x03\x81\x80\x00\x0b")),
		"table":               module(global, function("\x41\x00\x11\x00\x01")),
		"branch":              module(global, function("\x0c\x01")),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Instrument([]byte(b)); fault.CodeOf(err) != fault.Invalid {
				t.Errorf("got %v, want %s", err, fault.Invalid)
			}
		})
	}
}

func TestSnapshot(t *testing.T) {
	globals := []string{
		i32 + "\x01" + zero, i64 + "\x00\x42\x07\x0b", i64 + "\x01\x42\x07\x0b",
		"\x7d\x01\x43\x00\x00\x80\x3f\x0b", "\x7c\x01\x44" + "12345678" + "\x0b",
	}
	in := mustInstrument(t, module(globals, code))
	if d := cmp.Diff([]abi.Type{abi.I32, abi.I64, format.F32, format.F64}, in.Globals); d != "" {
		t.Fatalf("globals (-want +got):\n%s", d)
	}
	if in.MaxPages != 9 {
		t.Errorf("MaxPages = %d", in.MaxPages)
	}
	out, err := Snapshot(in.Module, 5, []uint64{1<<32 - 1, 1 << 63, 0x7fa00001, 0x3837363534333231})
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[byte]string{
		format.IDMemory: vec("\x00\x05"),
		format.IDGlobal: vec(i32+"\x01\x41\x7f\x0b", i64+"\x00\x42\x07\x0b", i64+"\x01\x42\x80\x80\x80\x80\x80\x80\x80\x80\x80\x7f\x0b",
			"\x7d\x01\x43\x01\x00\xa0\x7f\x0b", "\x7c\x01\x44"+"12345678"+"\x0b", i32+"\x01\x41\xc0\x84\x3d\x0b"),
		format.IDData: vec("\x01\x00", "\x01"+text("passive")),
	} {
		if got := contentOf(t, out, id); got != want {
			t.Errorf("section %d = %q, want %q", id, got, want)
		}
	}
	for _, id := range []byte{format.IDType, format.IDImport, format.IDExport, format.IDCode, format.IDDataCount} {
		if got, want := contentOf(t, out, id), contentOf(t, in.Module, id); got != want {
			t.Errorf("section %d = %q, want %q", id, got, want)
		}
	}
}

// contentOf returns the data of a section, "" if there is none.
func contentOf(t *testing.T, b []byte, id byte) string {
	t.Helper()
	list, err := format.Sections(b)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		if s.ID == id {
			return string(b[s.Start:s.End])
		}
	}
	return ""
}

func TestSnapshotWithoutDataCount(t *testing.T) {
	b := header + section(format.IDMemory, vec("\x00\x01")) + section(format.IDData, vec("\x00"+zero+text("abc")))
	out, err := Snapshot(mustInstrument(t, b).Module, 1, nil)
	if err != nil || bytes.Contains(out, []byte("abc")) || contentOf(t, out, format.IDData) != "" {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestSnapshotRefuses(t *testing.T) {
	in := mustInstrument(t, module([]string{i32 + "\x01" + zero}, code)).Module
	vector := mustInstrument(t, module([]string{"\x7b\x01\xfd\x0c1234567812345678\x0b"}, code)).Module
	for _, tt := range []struct {
		name    string
		module  []byte
		pages   uint32
		globals []uint64
	}{
		{"no module", []byte("text"), 1, nil},
		{"not instrumented", []byte(guest()), 17, nil},
		{"cut short", in[:len(in)-3], 1, []uint64{1}},
		{"too few values", in, 1, nil},
		{"too many values", in, 1, []uint64{1, 2}},
		{"smaller than at the start", in, 0, []uint64{1}},
		{"larger than any memory", in, format.MaxPages + 1, []uint64{1}},
		{"pages without a memory", mustInstrument(t, header).Module, 1, nil},
		{"a vector", vector, 1, []uint64{1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if out, err := Snapshot(tt.module, tt.pages, tt.globals); fault.CodeOf(err) != fault.Invalid {
				t.Errorf("got %q, %v, want %s", out, err, fault.Invalid)
			}
		})
	}
}
